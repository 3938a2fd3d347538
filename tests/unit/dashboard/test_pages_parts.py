"""Frames become tables, charts and sentences."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from dashboard import exports, figures, styles, tables
from dashboard.views.overview import first_moment, rates
from recovery.contracts.events import EVENT_TYPES
from recovery.presentation import labels
from recovery.vocabulary import ACTIVE, ENDED

AT = datetime(2026, 5, 20, 14, 5, tzinfo=UTC)


def test_the_last_thirty_days_are_today_and_twenty_nine_before():
    assert first_moment(AT, 30) == datetime(2026, 4, 21, tzinfo=UTC)
    assert first_moment(AT, 7) == datetime(2026, 5, 14, tzinfo=UTC)


def cohort(**figures_):
    names = ("failed_n", "failed_minor", "recovered_n", "recovered_minor", "open_n")
    return pd.Series(dict.fromkeys(names, 0) | figures_)


def test_open_failures_stay_in_the_denominator_of_the_rate():
    """B75, B76: a cohort that is too young to be judged is marked with what is still open."""
    found = rates(cohort(failed_n=4, failed_minor=1000, recovered_n=2, recovered_minor=250, open_n=1))
    assert found == ("50.0%", "25.0%", "· 1 still open")


def test_a_mature_cohort_and_an_empty_one_say_so():
    """B76."""
    assert rates(cohort(failed_n=1, failed_minor=100, recovered_n=1, recovered_minor=100))[2] == "· none open"
    assert rates(cohort()) == ("–", "–", "")


def test_days_without_movement_are_zero():
    known = pd.DataFrame({"day": [date(2026, 5, 2)], "failed_minor": [700]})
    found = figures.fill_days(known, pd.Timestamp("2026-05-01 00:00"), pd.Timestamp("2026-05-03 14:05"))
    assert found["failed_minor"].tolist() == [0, 700, 0]


def test_no_movement_at_all_gives_days_too():
    found = figures.fill_days(pd.DataFrame({"day": [], "failed_minor": []}), pd.Timestamp("2026-05-01"), pd.Timestamp("2026-05-02"))
    assert found["failed_minor"].tolist() == [0, 0]


def kinds(*names):
    n = len(names)
    return pd.DataFrame({"kind": names, "failed_n": [4] * n, "failed_minor": [100] * n, "recovered_n": [1] * n})


def legend(chart):
    return chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]["domain"]


def test_the_fourth_class_of_declines_is_shown_only_when_there_are_some():
    assert legend(figures.donut(kinds("soft"), "eur")) == ["Soft", "Hard", "Fraud"]
    assert legend(figures.donut(kinds("soft", "needs_auth"), "eur")) == ["Soft", "Hard", "Fraud", "Needs authentication"]


def test_charts_of_money_take_the_currency_s_decimals():
    day = {"day": [pd.Timestamp("2026-05-01")], "failed_minor": [1200], "recovered_minor": [0], "failed_n": [1], "recovered_n": [0]}
    values = next(iter(figures.trend(pd.DataFrame(day), "jpy").to_dict()["datasets"].values()))
    assert [(row["what"], row["amount"], row["text"]) for row in values] == [("Failed", 1200.0, "¥1,200"), ("Recovered", 0.0, "¥0")]
    values = next(iter(figures.trend(pd.DataFrame(day), "kwd").to_dict()["datasets"].values()))
    assert [(row["amount"], row["text"]) for row in values] == [(1.2, "KWD 1.200"), (0.0, "KWD 0.000")]


def step(**fields):
    base = dict.fromkeys(("event_type", "reason", "result", "currency", "decline_kind", "decline_code"), "")
    return base | {"amount_minor": 0, "recovered_minor": 0, "next_action_at": None, "occurred_at": AT} | fields


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (
            step(event_type="payment_recovered", reason="our_retry", recovered_minor=1900, currency="eur"),
            "€19.00 · our retry recovered it",
        ),
        (step(event_type="retry_skipped", reason="card_budget"), "the card network allows no further attempt now"),
        (step(event_type="retry_skipped", reason="some_new_reason"), "some new reason"),
        (step(event_type="retry_scheduled", next_action_at=AT), "for 20 May 2026, 14:05 UTC"),
        (
            step(event_type="payment_failed", amount_minor=900, currency="jpy", decline_kind="soft", decline_code="insufficient_funds"),
            "¥900 · soft: insufficient funds",
        ),
        (step(event_type="dunning_sent"), ""),
    ],
)
def test_an_event_says_why_in_plain_words(row, text):
    assert styles.sentence(row) == text


def test_nothing_from_outside_becomes_markup():
    html = styles.timeline(pd.DataFrame([step(event_type="<b>", reason="<script>alert(1)</script>")]))
    assert "<script>" not in html
    assert "<b>" not in html


def test_every_event_type_and_status_has_a_word():
    assert set(EVENT_TYPES) == set(labels.EVENTS)
    assert ACTIVE | ENDED | {"blocked"} == set(labels.STATUSES)


def test_active_failures_show_amount_code_and_next_step_in_words():
    row = {"status": "retrying", "amount_minor": 1900, "decline_code": "do_not_honor", "retry_count": 1, "dunning_step": 2}
    row |= {"next_action": "retry", "next_action_at": AT, "opened_at": AT, "invoice": "in_1", "customer": "cus_1"}
    found = tables.active(pd.DataFrame([row]), "eur").iloc[0]
    assert (found["Status"], found["Amount"], found["Decline"], found["Next action"]) == (
        ["Retrying"],
        19.0,
        "do not honor",
        "Retry the payment",
    )


def test_the_log_shows_what_came_back_for_a_recovery_and_what_was_at_stake_else():
    base = {"occurred_at": AT, "reason": "", "invoice": "", "customer": "", "status": "", "currency": "eur", "result": ""}
    both = {"amount_minor": 500, "recovered_minor": 300}
    rows = pd.DataFrame([base | both | {"event_type": "payment_recovered"}, base | both | {"event_type": "payment_failed"}])
    assert tables.log(rows)["Amount"].tolist() == ["€3.00", "€5.00"]


def test_every_text_column_of_every_export_is_made_safe_for_spreadsheets():
    for name, export in exports.EXPORTS.items():
        query = exports.sql(name)
        for column in export.columns:
            plain = column.endswith(("_at", "_minor", "_count", "_step", "_version")) or column in {"sequence", "last_sequence"}
            assert (f"concat('\\'', {column})" in query) is not plain, (name, column)
