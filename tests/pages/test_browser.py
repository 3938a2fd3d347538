"""The dashboard in a real browser: it draws, and a selected failure tells its story."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dunlin.stack.ports import free_ports, is_open
from tests.support.services.browser import launched
from tests.support.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.browser]
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def address(full, clock_file, tmp_path):
    """The dashboard's address, started as the stack starts it."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port), "--server.address", "127.0.0.1"]
    command += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    env = {**os.environ, "DUNLIN_CLICKHOUSE_URL": full, "DUNLIN_CLOCK_FILE": str(clock_file), "DUNLIN_HOME": str(tmp_path)}
    env["DUNLIN_DASHBOARD_ACCOUNT"] = "acct_1Northwind"
    with (tmp_path / "dashboard.log").open("wb") as out:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        until(lambda: is_open(port), 60, "the dashboard to listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_the_page_draws_and_a_selected_failure_tells_its_story(chromium, address):
    from playwright.sync_api import expect

    with launched(chromium) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 2200})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        expect(page.get_by_test_id("stMetric")).to_have_count(4, timeout=60_000)
        expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(3, timeout=30_000)
        table = page.get_by_test_id("stDataFrame").first
        expect(table.locator("canvas").first).to_be_visible(timeout=30_000)
        expect(page.get_by_text("Select a row to read what happened")).to_be_visible()
        table.click(position={"x": 15, "y": 53})
        expect(page.locator(".line .what").first).to_have_text("Payment failed", timeout=30_000)
        with page.expect_download(timeout=30_000) as download:
            page.get_by_role("button", name="Failures CSV").click()
        assert Path(download.value.path()).read_text().startswith('"invoice"')
        assert errors == []
