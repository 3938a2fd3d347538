"""Why was a retry or a message not made?"""

from datetime import datetime

import streamlit as st

from dashboard import queries, tables
from dashboard.views.overview import PERIODS, first_moment
from dashboard.warehouse_client import FrameSource
from recovery.presentation import labels

MOST_ROWS = 200
"""Rows shown of one reason."""
ALL = "Every reason"


def show(source: FrameSource, account: str, now: datetime) -> None:
    """The page of one account at a business time. Raises WarehouseUnreachable."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header("Not done, and why", anchor=False, width="content")
        period = st.segmented_control("Period", list(PERIODS), default="30 days", key="why-period", label_visibility="collapsed")
    since = first_moment(now, PERIODS[period or "30 days"])
    groups = queries.not_done(source, account, since)
    if groups.empty:
        with st.container(border=True):
            st.subheader("Nothing was left undone", anchor=False)
            st.write(
                "Every retry or message that is not made is kept here with its reason: a budget, quiet hours, already paid, switched off."
            )
        return
    with st.container(border=True):
        st.markdown("**Reasons**")
        st.dataframe(tables.not_done_groups(groups), hide_index=True, key="why-groups")
    with st.container(border=True):
        chosen = st.selectbox("Reason", [ALL, *dict.fromkeys(groups["reason"])], format_func=_name, key="why-reason", width=420)
        rows = queries.not_done_rows(source, account, since, "" if chosen == ALL else str(chosen), MOST_ROWS)
        st.dataframe(
            tables.not_done(rows),
            hide_index=True,
            column_config={"Time": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm", timezone="UTC")},
            key="why-rows",
        )
        if len(rows) == MOST_ROWS:
            st.caption(f"The newest {MOST_ROWS} are shown.")


def _name(reason: str) -> str:
    return reason if reason == ALL else labels.sentence(reason)
