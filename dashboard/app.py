"""The dashboard's entry point: `python -m streamlit run dashboard/app.py`. Page list and settings; no meaning hidden in file names."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import streamlit as st

from dashboard import queries, styles
from dashboard.views import overview, why_not
from dashboard.warehouse_client import FrameSource, WarehouseClient, WarehouseUnreachable
from recovery.adapters.clock import business_clock
from recovery.config import from_env
from recovery.vocabulary import Clock

# How often an open page asks again. (A comment: Streamlit shows strings that stand alone in this file.)
REFRESH_SECONDS = 10
LOGO = Path(__file__).parent / "assets" / "dunlin.svg"
_CHART, _STOP = ":material/monitoring:", ":material/block:"
Page = Callable[[FrameSource, str, datetime], None]
NO_ACCOUNT = (
    "Until there is a sign-in, this dashboard shows the one account that the setting `DUNLIN_DASHBOARD_ACCOUNT` names, and none "
    "without it. Set it to the id of a Stripe account (`acct_...`) and start Dunlin again. Restrict access to this page to people "
    "who may see that account."
)
NO_EVENTS = (
    "Dunlin is running and has seen no webhook of `{account}`. Point a Stripe webhook endpoint of that account at the gateway, or run "
    "`dunlin demo`. Is it another account that you expected? The setting `DUNLIN_DASHBOARD_ACCOUNT` names the one shown."
)


@st.cache_resource
def warehouse(url: str) -> WarehouseClient:
    """The one connection of this process."""
    return WarehouseClient(url)


def run(source: FrameSource, clock: Clock, account: str = "") -> None:
    """The whole application on a source and the business clock, for one account; without one it shows no account.

    There is no sign-in yet, so every visitor who reaches the page sees its content: nothing that a visitor enters chooses the account.
    """
    st.set_page_config(page_title="Dunlin", page_icon=":material/currency_exchange:", layout="wide")
    st.html(styles.STYLE)
    st.logo(LOGO, size="large")
    pages = [
        st.Page(lambda: _page(overview.show, source, clock, account), title="Overview", icon=_CHART, url_path="overview", default=True),
        st.Page(lambda: _page(why_not.show, source, clock, account), title="Not done", icon=_STOP, url_path="not-done"),
    ]
    chosen = st.navigation(pages, position="top")
    chosen.run()


@st.fragment(run_every=REFRESH_SECONDS)
def _page(show: Page, source: FrameSource, clock: Clock, account: str) -> None:
    if not account:
        _notice("No account is chosen", NO_ACCOUNT)
        return
    try:
        if int(queries.as_of(source, account).iloc[0]["events"]) == 0:
            _notice("No events yet", NO_EVENTS.format(account=account))
        else:
            show(source, account, clock())
    except WarehouseUnreachable as problem:
        st.error(str(problem), icon=":material/cloud_off:")
        st.caption("This page retries by itself.")


def _notice(title: str, text: str) -> None:
    with st.container(border=True):
        st.subheader(title, anchor=False)
        st.write(text)


if __name__ == "__main__":
    # Streamlit runs this file as __main__: it is this program's entry point, so it is the place that reads the environment.
    settings = from_env(os.environ)  # noqa: TID251 - see above
    if settings.clickhouse_url:
        run(warehouse(settings.clickhouse_url), business_clock(settings.clock_file), settings.dashboard_account)
    else:
        st.error("DUNLIN_CLICKHOUSE_URL is not set. `dunlin up` sets it; without it, give the address of ClickHouse.")
