"""A payer's browser goes where a link leads, redirect by redirect, and stays on this machine."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sandbox.mail.browser import AGENT, MOST_REDIRECTS, Browser
from tests.support.waiting import until_async


async def _asked(start: str, answers: dict[str, str], expected: int) -> list[tuple[str, str]]:
    """Paths and agents of the requests that come of one `fetch`; `answers` says where each path redirects to."""
    heard: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append((request.path, request.headers["User-Agent"]))
        where = answers.get(request.path)
        return web.Response(status=302, headers={"Location": where}) if where else web.Response(text="here you are")

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    browser = Browser()
    async with TestServer(app) as server:
        browser.open()
        browser.fetch(str(server.make_url(start)))
        await until_async(lambda: len(heard) >= expected and not browser.busy, 10, "the browser")
        await browser.close()
    return heard


def test_every_redirect_is_followed_as_by_a_person() -> None:
    heard = asyncio.run(_asked("/c/token", {"/c/token": "/i/bill"}, 2))
    assert heard == [("/c/token", AGENT), ("/i/bill", AGENT)]


def test_a_redirect_that_leads_away_is_not_followed() -> None:
    assert [path for path, _ in asyncio.run(_asked("/c/a", {"/c/a": "https://shop.example/"}, 1))] == ["/c/a"]


def test_a_circle_of_redirects_ends() -> None:
    assert len(asyncio.run(_asked("/a", {"/a": "/b", "/b": "/a"}, 1 + MOST_REDIRECTS))) == 1 + MOST_REDIRECTS


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/c/nobody", "http://shop.example/", "http://127.0.0.1:x/"])
def test_what_cannot_be_loaded_is_forgotten(address: str) -> None:
    async def fetched() -> None:
        browser = Browser()
        browser.fetch(address)  # not open yet: nothing happens
        browser.open()
        browser.fetch(address)
        await until_async(lambda: not browser.busy, 10, "the browser")
        await browser.close()

    asyncio.run(fetched())
