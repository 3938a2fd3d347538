from sandbox.simulation.records import Invoice
from sandbox.simulation.world import World

DAY = 86_400.0
START = 1_793_000_000.0


def _mail_everybody(world: World) -> None:
    """Each failed renewal gets a mail within the hour of its failure."""
    known: set[str] = set()
    for hour in range(1, 721):
        at = START + hour * 3600
        world.advance(at)
        for bill in list(world.books.invoices.values()):
            email = world.books.customers[bill.customer].email
            if bill.first_failed_at and bill.id not in known and email and bill.subscription:
                known.add(bill.id)
                world.behaviour.receive(f"<{bill.id}@x>", to=email, token=bill.token, subject="s", wall=at, at=at)


def test_some_readers_pay_on_the_page_and_the_recovery_names_the_mail(world_of) -> None:
    world = world_of(customers=500, recording=False)
    _mail_everybody(world)
    paid = [one for one in world.payments.recoveries if one.mail]
    mails = world.behaviour.mails
    assert 0.03 <= len(paid) / len(mails) <= 0.25
    for one in paid:
        assert one.actor == "hosted_page"
        assert mails[one.mail or ""].invoice == one.invoice
        assert one.at > mails[one.mail or ""].at_business


def test_a_repeated_message_id_is_one_mail_with_two_copies_and_is_read_once(failed: tuple[World, Invoice]) -> None:
    world, bill = failed
    email = world.books.customers[bill.customer].email or ""
    for _ in range(2):
        mail = world.behaviour.receive("<one@x>", to=email.upper(), token=bill.token, subject="s", wall=1.0, at=world.now)
    assert mail.copies == 2
    assert (mail.customer, mail.invoice) == (bill.customer, bill.id)
    assert world.behaviour._steps == {bill.id: 1}


def test_a_mail_knows_whether_the_invoice_was_already_paid_when_it_arrived(failed: tuple[World, Invoice]) -> None:
    world, bill = failed
    world.behaviour.pay_on_page(bill, "good", world.now)
    email = world.books.customers[bill.customer].email or ""
    mail = world.behaviour.receive("<late@x>", to=email, token=bill.token, subject="s", wall=1.0, at=world.now)
    assert mail.invoice_status_at_receipt == "paid"


def test_a_mail_to_a_stranger_about_nothing_is_kept(world_of) -> None:
    world = world_of()
    mail = world.behaviour.receive("<x@x>", to="who@else.example", token=None, subject="s", wall=1.0, at=START)
    assert (mail.customer, mail.invoice, mail.invoice_status_at_receipt) == (None, None, None)


def test_the_account_updater_gives_broken_cards_a_new_life(world_of) -> None:
    world = world_of(customers=1500)
    events = world.advance(world.month_end)
    updated = [event for event in events if event.type == "payment_method.automatically_updated"]
    assert updated
    for event in updated:
        card = world.books.customers[event.customer or ""].cards[0]
        assert card.expires_at > event.created
        assert card.lost_at > event.created


def test_some_payments_are_refunded_or_disputed_later(world_of) -> None:
    world = world_of(customers=1500)
    kinds = {event.type for event in world.advance(world.month_end)}
    assert {"charge.refunded", "charge.dispute.created"} <= kinds
    assert world.aftermath.refunds
    assert all(world.books.charges[one["charge"]].refunded == one["amount"] for one in world.aftermath.refunds)
