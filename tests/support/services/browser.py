"""Chromium without a screen, for tests that look at pages, with the same fonts on every machine."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
FONTS = tuple(
    folder for folder in map(Path, ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/dejavu")) if (folder / "DejaVuSans.ttf").exists()
)
"""The DejaVu fonts (fonts-dejavu-core): wider than what most readers have, so that what fits in them fits elsewhere."""
FONTCONFIG = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir>
<alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
<alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


def found() -> str:
    """The path of Chromium; without one or without the DejaVu fonts the test is skipped, or fails where everything is required."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is not None and FONTS:
        return path
    reason = "needs Chromium and the DejaVu fonts (apt-get install chromium fonts-dejavu-core)"
    if os.environ.get("DUNLIN_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def launched(chromium: str) -> "Iterator[Browser]":
    """A browser that knows no font but DejaVu, whatever else is installed on the machine."""
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory(prefix="dunlin-test-fonts-") as folder, sync_playwright() as playwright:
        settings = Path(folder) / "fonts.conf"
        settings.write_text(FONTCONFIG.format(fonts=FONTS[0], cache=folder))
        variables: dict[str, str | float | bool] = {**os.environ, "FONTCONFIG_FILE": str(settings)}
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS, env=variables)
        try:
            yield browser
        finally:
            browser.close()
