"""How property tests run: the same examples every time under CI, new ones on a developer's machine."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("search", max_examples=100, deadline=None)
settings.register_profile("repeat", max_examples=100, deadline=None, derandomize=True, database=None)
settings.load_profile("repeat" if os.environ.get("CI") else "search")
