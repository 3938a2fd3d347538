"""The style of pages beyond the theme: one small style sheet, and the pieces drawn as HTML. Every text is escaped here."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

import pandas as pd

from dashboard.amounts import money
from recovery.presentation import labels

STYLE = """<style>
.block-container {padding-top: 4.8rem; padding-bottom: 4rem; max-width: 1320px;}
[data-stale="true"] {opacity: 1 !important; transition: none !important;}
@media (max-width: 1000px) {
  .st-key-cards [data-testid="stColumn"] {min-width: calc(50% - 1rem); flex: 1 1 calc(50% - 1rem);}
  .st-key-charts [data-testid="stColumn"] {min-width: 100%; flex: 1 1 100%;}
}
[data-testid="stMetricValue"] {font-variant-numeric: tabular-nums; letter-spacing: -.02em;}
[data-testid="stMetricLabel"] p {font-size: .86rem; opacity: .75;}
.asof {font-size: .82rem; opacity: .65; margin: -.6rem 0 .4rem;}
.line {position: relative; margin: .4rem 0 0 .4rem; padding-left: 1.4rem; border-left: 2px solid rgba(128,140,150,.3);}
.line .step {position: relative; padding: 0 0 1rem .2rem;}
.line .step:last-child {padding-bottom: .2rem;}
.line .dot {position: absolute; left: -1.83rem; top: .32rem; width: .8rem; height: .8rem; border-radius: 50%;}
.line .when {font-size: .8rem; opacity: .65; font-variant-numeric: tabular-nums;}
.line .what {font-weight: 600; margin-right: .5rem;}
.line .why {font-size: .92rem; opacity: .85;}
</style>"""
_DOTS: dict[str, str] = {
    "payment_failed": "#E07A5F",
    "attempt_failed_again": "#E07A5F",
    "retry_attempted": "#4A7FB0",
    "dunning_sent": "#7B4B94",
    "payment_recovered": "#1B998B",
    "recovery_reversed": "#C8553D",
    "case_abandoned": "#5B6570",
    "case_blocked": "#5B6570",
    "case_closed": "#5B6570",
}
_PALE_DOT = "#B4BCC4"


def timeline(story: pd.DataFrame) -> str:
    """The events of one case as a vertical line, each with its reason in plain words."""
    steps = "".join(_step(row) for row in story.to_dict("records"))
    return f'<div class="line">{steps}</div>'


def _step(row: Mapping[Any, Any]) -> str:
    colour = _DOTS.get(str(row["event_type"]), _PALE_DOT)
    return (
        f'<div class="step"><span class="dot" style="background:{colour}"></span>'
        f'<div class="when">{escape(moment(row["occurred_at"]))}</div>'
        f'<span class="what">{escape(labels.label(labels.EVENTS, str(row["event_type"])))}</span>'
        f'<span class="why">{escape(sentence(row))}</span></div>'
    )


def sentence(row: Mapping[Any, Any]) -> str:
    """What an event says beyond its name: result, amount, code, reason and what comes next."""
    parts = []
    if row["result"]:
        parts.append(str(row["result"]).replace("_", " "))
    if row["event_type"] in {"payment_failed", "retry_attempted"} and row["amount_minor"]:
        parts.append(money(int(row["amount_minor"]), str(row["currency"])))
    if row["event_type"] in {"payment_recovered", "partial_payment", "recovery_reversed"}:
        parts.append(money(int(row["recovered_minor"]), str(row["currency"])))
    if row["event_type"] in {"payment_failed", "attempt_failed_again", "decline_classified", "retry_attempted"} and row["decline_code"]:
        parts.append(f"{labels.label(labels.KINDS, str(row['decline_kind'])).lower()}: {str(row['decline_code']).replace('_', ' ')}")
    if row["reason"] and str(row["reason"]) not in {str(row["decline_code"]), str(row["result"]), str(row["event_type"])}:
        parts.append(labels.reason(str(row["reason"])))
    if row["event_type"] in {"retry_scheduled", "dunning_scheduled"} and not pd.isna(row["next_action_at"]):
        parts.append(f"for {moment(row['next_action_at'])}")
    return " · ".join(parts)


def moment(at: datetime | pd.Timestamp | None) -> str:
    """A UTC moment as people read it, or a dash."""
    if at is None or pd.isna(at):
        return "–"
    return f"{at.day} {at:%b %Y, %H:%M} UTC"
