"""How much failed, how much came back, and what happens next?"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import exports, figures, queries, styles, tables
from dashboard.amounts import money, short
from dashboard.warehouse_client import FrameSource
from recovery.contracts.events import EVENT_TYPES
from recovery.presentation import labels
from recovery.presentation.amounts import decimals, major
from recovery.vocabulary import ACTIVE

PERIODS: dict[str, int] = {"7 days": 7, "30 days": 30, "90 days": 90}
"""Days by the name of the period; the last 30 days unless another is chosen."""
MOST_ACTIVE = 500
"""Rows of the table of active failures; the file has all."""
PAGE = 50
"""Events on one page of the log."""
FIRST_TYPES = EVENT_TYPES[:5]
"""The five types that the log shows first."""
_STATUS_COLOURS = {"Retrying": "#4A7FB0", "Writing to customer": "#7B4B94", "Customer must act": "#E9B44C"}


def show(source: FrameSource, account: str, now: datetime) -> None:
    """The page of one account at a business time. Raises WarehouseUnreachable."""
    fresh = queries.as_of(source, account).iloc[0]
    currencies = queries.currencies(source, account)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header("Recovery", anchor=False, width="content")
        with st.container(horizontal=True, width="content"):
            currency = _choose_currency(currencies)
            period = st.segmented_control("Period", list(PERIODS), default="30 days", key="period", label_visibility="collapsed")
    read = f"As of {styles.moment(fresh['inserted_at'])} · {int(fresh['events']):,} events"
    st.html(f'<div class="asof">{read}{_other_time(fresh["inserted_at"], now)}</div>')
    if not currency:
        _nothing_yet()
    else:
        since = first_moment(now, PERIODS[period or "30 days"])
        days = _days(source, account, currency, since, now)
        _cards(source, account, currency, since, days)
        _charts(source, account, currency, since, days)
        _active(source, account, currency, since)
        _money(source, account, currency, since)
    _log(source, account)


def _other_time(wall: datetime, now: datetime) -> str:
    """The business time where it is another one, on a sandbox's clock."""
    apart = abs(wall.replace(tzinfo=UTC) - now)
    return f" · the sandbox's clock says {styles.moment(now)}" if apart > timedelta(hours=1) else ""


def first_moment(now: datetime, days: int) -> datetime:
    """The start of the UTC day that makes `days` days with today."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days - 1)


def _choose_currency(currencies: list[str]) -> str:
    if len(currencies) < 2:
        return currencies[0] if currencies else ""
    chosen = st.segmented_control(
        "Currency", currencies, default=currencies[0], format_func=str.upper, key="currency", label_visibility="collapsed"
    )
    return str(chosen or currencies[0])


def _nothing_yet() -> None:
    with st.container(border=True):
        st.subheader("No failures yet", anchor=False)
        st.write(
            "As soon as Stripe reports a failed subscription payment, it appears here within seconds: what it was worth, why it failed, "
            "and what happens next. Events that are no failures are listed below."
        )


def _cards(source: FrameSource, account: str, currency: str, since: datetime, days: pd.DataFrame) -> None:
    cohort = queries.cohort(source, account, currency, since)
    active = queries.active_total(source, account, currency)
    came = sum(int(minor) for minor in days["recovered_minor"])
    columns = st.container(key="cards").columns(4)
    columns[0].metric(
        "Total failed",
        short(int(cohort["failed_minor"]), currency),
        f"{int(cohort['failed_n']):,} payments",
        delta_color="red",
        delta_arrow="off",
        border=True,
        height="stretch",
        chart_data=[float(major(minor, currency)) for minor in days["failed_minor"]],
        chart_type="bar",
        help="Failed subscription payments that opened a case in the period, each counted once however often it fails.",
    )
    columns[1].metric(
        "Total recovered",
        short(came, currency),
        f"{int(days['recovered_n'].sum()):,} payments",
        delta_color="green",
        delta_arrow="off",
        border=True,
        height="stretch",
        chart_data=[float(major(minor, currency)) for minor in days["recovered_minor"]],
        chart_type="bar",
        help="Money of failed payments that came in during the period, whenever it had failed. Refunds and disputes are shown below.",
    )
    columns[2].metric(
        "Active failures",
        f"{int(active['n']):,}",
        f"{short(int(active['minor']), currency)} at stake",
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help="Being retried, being written about, or waiting for the customer to act; from any period.",
    )
    count_rate, value_rate, note = rates(cohort)
    columns[3].metric(
        "Recovery rate",
        count_rate,
        f"{value_rate} by value",
        delta_color="off",
        delta_arrow="off",
        delta_description=note,
        border=True,
        height="stretch",
        help="Of the failures opened in the period, how many are recovered by now. Open ones count as not recovered, so the rate of recent "
        "days still rises.",
    )


def rates(cohort: pd.Series) -> tuple[str, str, str]:
    """Rate by count, rate by value, and whether the cohort is mature (B75, B76); dashes when nothing failed."""
    failed, minor, still_open = int(cohort["failed_n"]), int(cohort["failed_minor"]), int(cohort["open_n"])
    if not failed:
        return "–", "–", ""
    note = f"· {still_open:,} still open" if still_open else "· none open"
    by_value = f"{int(cohort['recovered_minor']) / minor:.1%}" if minor else "–"
    return f"{int(cohort['recovered_n']) / failed:.1%}", by_value, note


def _days(source: FrameSource, account: str, currency: str, since: datetime, now: datetime) -> pd.DataFrame:
    known = queries.daily(source, account, currency, since)
    return figures.fill_days(known, pd.Timestamp(since).tz_localize(None), pd.Timestamp(now).tz_convert("UTC").tz_localize(None))


def _charts(source: FrameSource, account: str, currency: str, since: datetime, days: pd.DataFrame) -> None:
    left, right = st.container(key="charts").columns([2, 1])
    with left.container(border=True, height="stretch"):
        st.markdown("**Failed and recovered per day**")
        st.altair_chart(figures.trend(days, currency), alt="Failed and recovered money per day")
    with right.container(border=True, height="stretch"):
        st.markdown("**Why payments failed**")
        kinds = queries.kinds(source, account, currency, since)
        if kinds.empty:
            st.caption("Nothing failed in this period.")
        else:
            st.altair_chart(figures.donut(kinds, currency), alt="Failures by class of decline")


def _active(source: FrameSource, account: str, currency: str, since: datetime) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown("**Active failures**", width="content")
            with st.container(horizontal=True, width="content", vertical_alignment="center"):
                search = st.text_input(
                    "Search", placeholder="Invoice, customer or code", key="search", label_visibility="collapsed", width=220
                )
                chosen = st.pills(
                    "Status",
                    sorted(ACTIVE),
                    selection_mode="multi",
                    format_func=lambda status: labels.label(labels.STATUSES, status),
                    key="statuses",
                    label_visibility="collapsed",
                )
                _downloads(source, account, since)
        rows = queries.active(source, account, currency, list(chosen or []), search, MOST_ACTIVE)
        if rows.empty:
            st.caption("No failure matches." if search or chosen else "No active failures: everything is recovered, given up or closed.")
            return
        selected = _table(rows, currency)
        if len(rows) == MOST_ACTIVE:
            st.caption(f"The {MOST_ACTIVE} due next are shown; the file has all.")
        if selected is None:
            st.caption("Select a row to read what happened to that payment, and why.")
        else:
            _story(source, account, selected)


def _search(hint: str, key: str) -> str:
    return st.text_input("Search", placeholder=hint, key=key, label_visibility="collapsed", width=220) or ""


def _downloads(source: FrameSource, account: str, since: datetime) -> None:
    _download(source, account, since, "failures")
    with st.popover("More", icon=":material/download:"):
        for name in exports.EXPORTS:
            if name != "failures":
                _download(source, account, since, name)


def _download(source: FrameSource, account: str, since: datetime, name: str) -> None:
    """A button that queries ClickHouse for the file only when pressed."""
    st.download_button(
        f"{exports.EXPORTS[name].title} CSV",
        data=partial(exports.whole, source, name, account, since),
        file_name=f"{name}-{account}-since-{since:%Y-%m-%d}.csv",
        mime="text/csv",
        on_click="ignore",
        key=f"csv-{name}",
    )


def _table(rows: pd.DataFrame, currency: str) -> pd.Series | None:
    config: dict[str, Any] = {
        "Status": st.column_config.MultiselectColumn(options=list(_STATUS_COLOURS), color=list(_STATUS_COLOURS.values()), width=170),
        "Amount": st.column_config.NumberColumn(f"Amount ({currency.upper()})", format=f"%,.{decimals(currency)}f", width=110),
        "Retries": st.column_config.NumberColumn(width=70),
        "Mails": st.column_config.NumberColumn(width=70),
        "When": st.column_config.DatetimeColumn(format="D MMM, HH:mm", timezone="UTC", width=110),
        "Failed": st.column_config.DatetimeColumn(format="D MMM, HH:mm", timezone="UTC", width=110),
    }
    state = st.dataframe(
        tables.active(rows, currency),
        hide_index=True,
        column_config=config,
        on_select="rerun",
        selection_mode="single-row",
        key="active",
        height=min(36 + 35 * len(rows), 420),
    )
    chosen = state["selection"]["rows"]
    return rows.iloc[chosen[0]] if chosen and chosen[0] < len(rows) else None


def _story(source: FrameSource, account: str, case: pd.Series) -> None:
    with st.container(border=True):
        st.markdown(f"**{case['invoice']}** · {money(int(case['amount_minor']), str(case['currency']))} · {case['customer']}")
        st.html(styles.timeline(queries.timeline(source, account, str(case["invoice"]))))


def _money(source: FrameSource, account: str, currency: str, since: datetime) -> None:
    with st.container(border=True):
        st.markdown("**Where the failed money went**")
        causes = queries.causes(source, account, currency, since)
        if causes.empty:
            st.caption("Nothing failed in this period.")
            return
        total = sum(int(minor) for minor in causes["minor"])
        st.caption(f"Failures opened in the period. Every unit has exactly one cause; the parts sum to {money(total, currency)}.")
        st.altair_chart(figures.parts(causes, currency), alt="Failed money by what became of it")


def _log(source: FrameSource, account: str) -> None:
    with st.container(border=True):
        st.markdown("**Event log**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            types = st.multiselect(
                "Events",
                list(EVENT_TYPES),
                default=list(FIRST_TYPES),
                format_func=lambda name: labels.label(labels.EVENTS, name),
                placeholder="All events",
                key="types",
                label_visibility="collapsed",
            )
            search = _search("Invoice, customer or reason", "log-search")
            page = st.number_input("Page", min_value=1, value=1, key="page", label_visibility="collapsed", width=120)
        rows = queries.log(source, account, types, search, PAGE + 1, (int(page) - 1) * PAGE)
        if rows.empty:
            st.caption("No event matches." if search or int(page) > 1 else "No event of these types yet.")
            return
        shown = rows.head(PAGE)
        st.dataframe(
            tables.log(shown),
            hide_index=True,
            column_config={
                "Time": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss", timezone="UTC", width=175),
                "Result": st.column_config.TextColumn(width=90),
            },
            height=min(36 + 35 * len(shown), 420),
            key="log",
        )
        more = "More on the next page." if len(rows) > PAGE else "These are the oldest."
        st.caption(f"Newest first, {PAGE} on a page. {more}")
