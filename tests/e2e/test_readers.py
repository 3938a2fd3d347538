"""The payers of the demonstration read their mails, and the whole way back is walked: link, gateway, facts, stream, view."""

from pathlib import Path

import httpx
import pytest

from tests.support.demonstration import Demonstration, demonstration
from tests.support.waiting import until

READ = """
SELECT countIf(opens > 0 AND clicks > 0) > 0 AND countIf(result = 'sent' AND invoice = '') > 0 AND sum(machine_opens + machine_clicks) = 0
FROM dunlin.dunning
"""


def _asked(month: Demonstration, query: str) -> str:
    answer = httpx.post(month.state().parts["clickhouse"].urls["dashboard"], content=query, timeout=30)
    answer.raise_for_status()
    return answer.text.strip()


@pytest.mark.real
@pytest.mark.timeout(1200)
def test_openings_and_clicks_of_people_and_mails_about_expiring_cards_are_in_the_view(tmp_path: Path) -> None:
    with demonstration(tmp_path, "--customers", "400", "--minutes", "1") as month:
        until(lambda: _asked(month, READ) == "1", 900, "a mail that was opened and clicked, and one about a card")
