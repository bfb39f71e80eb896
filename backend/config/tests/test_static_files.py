"""Static files as production has them: named by their content, compressed, and kept by browsers for ever."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.templatetags.static import static
from django.test import Client

from config.settings import base


@pytest.fixture
def collected(settings, tmp_path: Path) -> dict[str, str]:
    """Collects them into one folder. Gives their names there by their own."""
    settings.STORAGES = base.STORAGES
    settings.STATIC_ROOT = str(tmp_path)
    settings.STATICFILES_DIRS = []
    settings.WHITENOISE_USE_FINDERS = False
    call_command("collectstatic", interactive=False, verbosity=0)
    names: dict[str, str] = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
    return names


def test_a_file_is_compressed_and_never_asked_for_again(collected: dict[str, str]):
    name = collected["admin/css/base.css"]
    assert re.fullmatch(r"admin/css/base\.[0-9a-f]{12}\.css", name)
    response = Client().get(f"/static/{name}", headers={"accept-encoding": "gzip"})
    assert response["Content-Encoding"] == "gzip"
    assert response["Cache-Control"] == "max-age=315360000, public, immutable"
    assert response["Vary"] == "Accept-Encoding"
    compressed = response.getvalue()
    original = finders.find("admin/css/base.css")
    assert isinstance(original, str)
    assert len(compressed) < Path(original).stat().st_size / 2
    plain = Client().get(f"/static/{name}")
    assert "Content-Encoding" not in plain
    assert plain.getvalue() == gzip.decompress(compressed)


def test_pages_name_files_as_they_are_collected(collected: dict[str, str]):
    assert static("pages/favicon.svg") == f"/static/{collected['pages/favicon.svg']}"
    with pytest.raises(ValueError, match="Missing staticfiles manifest entry"):
        static("no-such-file.css")
