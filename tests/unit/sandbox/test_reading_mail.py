"""What readers' programs ask for when a mail is looked at."""

import pytest

from sandbox.mail.mail_page import Seen, is_here, seen
from sandbox.simulation.records import Invoice
from sandbox.simulation.world import World

PAGE = Seen(("http://127.0.0.1:8090/o/t",), "http://127.0.0.1:8090/c/t")


def _shown_to_everybody(world: World, bill: Invoice, count: int, page: Seen) -> list[str]:
    asked: list[str] = []
    world.behaviour.fetch = asked.append
    email = world.books.customers[bill.customer].email or ""
    for number in range(count):
        world.behaviour.receive(f"<{number}@x>", to=email, token=None, subject="s", wall=1.0, at=world.now, seen=page)
    world.advance(world.now + 10 * 86_400)
    return asked


def test_a_page_shows_its_images_and_its_first_link() -> None:
    html = '<p>Hi<a href="http://127.0.0.1:1/c/a&amp;b"><img src="http://localhost:1/o/x"/></a><a href="http://127.0.0.1:1/second">x</a>'
    assert seen(html) == Seen(("http://localhost:1/o/x",), "http://127.0.0.1:1/c/a&b")
    assert seen("") == Seen()


@pytest.mark.parametrize(
    "address", ["https://shop.example/", "http://127.0.0.1.evil.example/", "mailto:a@b.example", "ftp://127.0.0.1/", "http://[x"]
)
def test_nothing_beyond_this_machine_is_ever_asked_for(address: str) -> None:
    assert not is_here(address)
    assert seen(f'<a href="{address}">x</a><img src="{address}">') == Seen()


def test_about_half_of_the_mail_programs_load_images_and_few_readers_follow_a_link_idly(failed: tuple[World, Invoice]) -> None:
    asked = _shown_to_everybody(*failed, 400, PAGE)
    assert 160 <= asked.count(PAGE.images[0]) <= 280
    assert 5 <= asked.count(PAGE.link) <= 40


def test_a_mail_without_images_and_links_asks_for_nothing(failed: tuple[World, Invoice]) -> None:
    assert _shown_to_everybody(*failed, 100, Seen()) == []


def test_who_pays_by_a_mail_followed_its_link_first(world_of) -> None:
    world = world_of(customers=500, recording=False)
    asked: list[str] = []
    world.behaviour.fetch = asked.append
    known: set[str] = set()
    for hour in range(1, 721):
        at = world.setting.start + hour * 3600
        world.advance(at)
        for bill in list(world.books.invoices.values()):
            email = world.books.customers[bill.customer].email
            if bill.first_failed_at and bill.id not in known and email:
                known.add(bill.id)
                link = f"http://127.0.0.1/{bill.id}"
                world.behaviour.receive(f"<{bill.id}@x>", to=email, token=bill.token, subject="s", wall=1.0, at=at, seen=Seen((), link))
    paid = {f"http://127.0.0.1/{one.invoice}" for one in world.payments.recoveries if one.mail}
    assert paid
    assert paid <= set(asked)


def test_what_is_loaded_changes_nothing_of_what_is_paid(world_of) -> None:
    def month(page: Seen) -> list[tuple[str, float]]:
        world = world_of(customers=300, recording=False)
        world.advance(world.setting.start + 10 * 86_400)
        for bill in list(world.books.invoices.values()):
            email = world.books.customers[bill.customer].email
            if bill.first_failed_at and email:
                world.behaviour.receive(f"<{bill.id}@x>", to=email, token=bill.token, subject="s", wall=1.0, at=world.now, seen=page)
        world.advance(world.month_end)
        return [(one.invoice, one.at) for one in world.payments.recoveries]

    assert month(PAGE) == month(Seen()) != []
