"""The dashboard shows the account that its settings name, whatever a visitor asks for."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from recovery.config import from_env

NOW = datetime(2026, 5, 20, 14, 5, tzinfo=UTC)


class Merchants:
    """A warehouse of several merchants that notes which account each query is bound to."""

    def __init__(self, events: int = 3) -> None:
        self.asked: list[str | None] = []
        self._events = events

    def frame(self, sql, values, columns):
        self.asked.append(values.get("account"))
        if "max(inserted_at)" in sql:
            return pd.DataFrame({"inserted_at": [NOW.replace(tzinfo=None)], "occurred_at": [NOW], "events": [self._events]})
        return pd.DataFrame(columns=list(columns))

    def stream(self, sql, values):
        self.asked.append(values.get("account"))
        yield b""


def page(source: Merchants, account: str | None) -> AppTest:
    def application(source, now, account):
        from dashboard import app

        app.run(source, lambda: now, *([] if account is None else [account]))

    test = AppTest.from_function(application, default_timeout=60, kwargs={"source": source, "now": NOW, "account": account})
    for name in ("account", "invoice", "customer"):
        test.query_params[name] = "acct_2Rival"
    test.run()
    assert not test.exception
    return test


def written(test: AppTest) -> str:
    return " ".join(str(part.value) for part in (*test.markdown, *test.subheader))


@pytest.mark.parametrize("account", ["", None])
def test_without_an_account_in_the_settings_nothing_is_read_and_the_page_says_what_to_set(account):
    source = Merchants()
    assert "DUNLIN_DASHBOARD_ACCOUNT" in written(page(source, account))
    assert source.asked == []


def test_every_question_is_about_the_account_of_the_settings_and_there_is_no_choice():
    source = Merchants()
    test = page(source, "acct_1Heron")
    assert set(source.asked) == {"acct_1Heron"}
    assert "Account" not in {box.label for box in test.selectbox}


def test_an_account_without_events_is_named():
    assert "acct_1Heron" in written(page(Merchants(events=0), "acct_1Heron"))


@pytest.mark.parametrize("value", ["acct_1,acct_2", "acct_1' OR '1'='1", "*", "a" * 256])
def test_the_setting_takes_one_account(value):
    with pytest.raises(ValueError, match="DUNLIN_DASHBOARD_ACCOUNT"):
        from_env({"DUNLIN_DASHBOARD_ACCOUNT": value})
