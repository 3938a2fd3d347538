"""Frame to chart, pure. Colours mean the same on every page."""

from typing import Any

import altair as alt
import pandas as pd

from dashboard.amounts import money, symbol
from recovery.presentation import labels as words
from recovery.presentation.amounts import major

FAILED, RECOVERED = "#E07A5F", "#1B998B"
KIND_COLOURS: dict[str, str] = {"soft": "#E9B44C", "hard": "#C8553D", "fraud": "#7B4B94", "needs_auth": "#4A7FB0", "": "#A0A8B0"}
CAUSE_COLOURS: dict[str, str] = {
    "our_retry": "#1B998B",
    "stripe_retry": "#6C8EBF",
    "customer": "#57B8A5",
    "account_updater": "#8FCFC2",
    "external": "#9AA7D6",
    "by_hand": "#B7C0E4",
    "unknown": "#A0A8B0",
    "open": "#E9B44C",
    "reversed": "#7B4B94",
    "written_off": "#E07A5F",
}
_GREY = "#7A8794"
_AXIS: dict[str, Any] = {"labelFontSize": 11, "titleFontSize": 11, "grid": False, "domain": False, "ticks": False}


def fill_days(daily: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Every day from first to last, with zeros where nothing moved."""
    days = pd.date_range(first.normalize(), last.normalize(), freq="D", name="day")
    known = daily.assign(day=pd.to_datetime(daily["day"])).set_index("day")
    return known.reindex(days, fill_value=0).reset_index()


def trend(daily: pd.DataFrame, currency: str) -> alt.LayerChart:
    """Failed and recovered money per day; needs every day (see `fill_days`)."""
    series = [("Failed", "failed_minor", "failed_n"), ("Recovered", "recovered_minor", "recovered_n")]
    rows = [
        {
            "day": row["day"],
            "what": name,
            "amount": float(major(row[minor], currency)),
            "text": money(row[minor], currency),
            "cases": int(row[n]),
        }
        for _, row in daily.iterrows()
        for name, minor, n in series
    ]
    label = f"'{symbol(currency)}' + format(datum.value, '~s')"
    amounts = alt.Axis(labelExpr=label, tickCount=5, **{**_AXIS, "grid": True, "gridOpacity": 0.4})
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("day:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=8, **_AXIS)),
        y=alt.Y("amount:Q", title=None, stack=None, axis=amounts),
        color=alt.Color(
            "what:N",
            scale=alt.Scale(domain=["Failed", "Recovered"], range=[FAILED, RECOVERED]),
            legend=alt.Legend(title=None, orient="top", symbolType="circle", symbolOpacity=1, symbolStrokeWidth=0),
        ),
        tooltip=[
            alt.Tooltip("day:T", title="Day", format="%-d %B %Y"),
            alt.Tooltip("what:N", title=" "),
            alt.Tooltip("text:N", title="Amount"),
            alt.Tooltip("cases:Q", title="Payments"),
        ],
    )
    area, line = base.mark_area(opacity=0.16, interpolate="monotone"), base.mark_line(strokeWidth=2.5, interpolate="monotone")
    return _together([area, line], 300)


def donut(kinds: pd.DataFrame, currency: str) -> alt.LayerChart:
    """Failures by class. Soft, hard and fraud always have their place in the legend, others only when there are some."""
    shown = [kind for kind in KIND_COLOURS if kind in {"soft", "hard", "fraud"} or kind in set(kinds["kind"])]
    rows = pd.DataFrame(
        {
            "name": [words.label(words.KINDS, kind) for kind in kinds["kind"]],
            "text": [money(minor, currency) for minor in kinds["failed_minor"]],
            "back": [f"{recovered / failed:.0%}" for recovered, failed in zip(kinds["recovered_n"], kinds["failed_n"], strict=True)],
            "failed": [int(n) for n in kinds["failed_n"]],
        }
    )
    scale = alt.Scale(domain=[words.label(words.KINDS, kind) for kind in shown], range=[KIND_COLOURS[kind] for kind in shown])
    ring = (
        alt.Chart(rows)
        .mark_arc(innerRadius=62, outerRadius=98, cornerRadius=4, padAngle=0.02)
        .encode(
            theta=alt.Theta("failed:Q"),
            color=alt.Color("name:N", scale=scale, legend=alt.Legend(title=None, orient="bottom", columns=2, symbolType="circle")),
            tooltip=[
                alt.Tooltip("name:N", title="Class"),
                alt.Tooltip("failed:Q", title="Failures"),
                alt.Tooltip("text:N", title="Amount"),
                alt.Tooltip("back:N", title="Recovered"),
            ],
        )
    )
    total = alt.Chart(pd.DataFrame({"total": [f"{int(kinds['failed_n'].sum()):,}"], "label": ["failures"]}))
    number = total.mark_text(fontSize=28, fontWeight=600, dy=-6, color=_GREY).encode(text="total:N")
    label = total.mark_text(fontSize=12, dy=18, color=_GREY).encode(text="label:N")
    return _together([ring, number, label], 300)


def parts(causes: pd.DataFrame, currency: str) -> alt.LayerChart:
    """Where the failed money went, one bar per cause, the largest first."""
    total = sum(int(minor) for minor in causes["minor"]) or 1
    rows = pd.DataFrame(
        {
            "name": [words.label(words.CAUSES, cause) for cause in causes["cause"]],
            "amount": [float(major(minor, currency)) for minor in causes["minor"]],
            "text": [f"{money(minor, currency)}  ·  {int(minor) / total:.0%}" for minor in causes["minor"]],
            "cases": [int(n) for n in causes["cases"]],
            "colour": [CAUSE_COLOURS.get(cause, "#A0A8B0") for cause in causes["cause"]],
        }
    )
    base = alt.Chart(rows).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=220, **{**_AXIS, "labelFontSize": 13})),
        x=alt.X("amount:Q", axis=None, scale=alt.Scale(domainMax=max(rows["amount"].max() * 1.45, 1.0))),
        tooltip=[alt.Tooltip("name:N", title="Cause"), alt.Tooltip("text:N", title="Amount"), alt.Tooltip("cases:Q", title="Failures")],
    )
    bars = base.mark_bar(height=18, cornerRadiusEnd=4).encode(color=alt.Color("colour:N", scale=None))
    labels = base.mark_text(align="left", dx=8, fontSize=12, color=_GREY).encode(text="text:N")
    return _together([bars, labels], max(120, 36 * len(rows)))


def _together(charts: list[alt.Chart], height: int) -> alt.LayerChart:
    return alt.LayerChart(layer=charts, height=height)
