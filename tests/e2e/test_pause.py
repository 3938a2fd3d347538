"""The kill switch, as an operator uses it in the middle of a month."""

import subprocess
import sys
from pathlib import Path

import pytest

from dunlin.demo.comparison import ALERT_KINDS, kind_of_mail
from recovery.adapters.clickhouse import client
from tests.support.demonstration import REPOSITORY, Demonstration, demonstration
from tests.support.waiting import until


def dunlin(month: Demonstration, *words: str) -> None:
    command = [sys.executable, "-m", "dunlin", *words]
    done = subprocess.run(command, cwd=REPOSITORY, env=month.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def acts(month: Demonstration) -> int:
    """Charges, and mails to payers, that reached the world; what the merchant is told goes on while all is paused."""
    truth = month.sandbox("/_truth")
    mails = [mail for mail in truth["mails"] if kind_of_mail(mail["message_id"]) not in ALERT_KINDS]
    return sum(attempt["actor"] == "api" for attempt in truth["attempts"]) + len(mails)


@pytest.mark.real
@pytest.mark.timeout(1800)
def test_a_paused_month_charges_and_writes_to_nobody_until_it_is_resumed(tmp_path: Path) -> None:
    """`dunlin pause` stops every charge and mail within seconds; `dunlin resume` lets them go on; the figures stay right (B45)."""
    with demonstration(tmp_path, "--customers", "200", "--minutes", "2") as month:
        until(lambda: acts(month) > 5, 900, "the first charges and mails")
        dunlin(month, "pause", "*", "--why", "a test of the switch")
        warehouse = client(month.state().parts["clickhouse"].urls["reader"])
        heard = "SELECT count() FROM dunlin.events WHERE event_type = 'pause_set'"
        until(lambda: warehouse.query(heard).result_rows[0][0] >= 4, 900, "every partition to hear of the pause")
        # What was asked for before the switch may still be on its way; a moment of the month later nothing is.
        settled = month.fraction() + 0.03
        until(lambda: month.fraction() > settled, 900, "what was in flight to land")
        before, paused_until = acts(month), month.fraction() + 0.15
        until(lambda: month.fraction() > paused_until, 900, "a paused stretch of the month")
        assert acts(month) == before
        dunlin(month, "resume", "*")
        until(lambda: acts(month) > before, 900, "charges and mails to go on")
        until(lambda: month.fraction() >= 1.0, 900, "the end of the month")
        report = month.verify()
    assert report["sound"], report
