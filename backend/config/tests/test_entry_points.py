"""What importing the entry points brings about."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.servers import BACKEND_DIR

PROGRAM = """
import config.{name}
from django.core.signals import request_finished
from grpc_bridge.lifecycle import _finished, _started
print(_started.is_beyond_django(), _finished.is_beyond_django())
request_finished.connect(receiver := lambda **_: None)
print(_finished.is_beyond_django())
"""


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_django_alone_is_no_reason_to_send_its_signals_around_each_call(name: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)],
        cwd=BACKEND_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.split() == ["False", "False", "True"]
