"""One of each effect through the whole sink: log, ledger, sandbox, log."""

import pytest

from recovery.contracts.facts import ChargeSettled, InvoiceRead, MessageSettled

pytestmark = pytest.mark.real


def test_each_kind_of_effect_is_performed_and_told(world):
    bills = world.take(10)
    reads, charges, mails = bills[:3], bills[3:8], bills[8:10]
    effects = [*map(world.read, reads), *map(world.charge, charges), *map(world.mail, mails)]
    process = world.start_sink()
    world.emit(*effects)
    told = world.outcomes({effect.id for effect in effects})
    assert {type(told[e.id][0]) for e in effects[:3]} == {InvoiceRead}, told
    assert {type(told[e.id][0]) for e in effects[3:8]} == {ChargeSettled}
    for effect, bill in zip(effects[3:8], charges, strict=True):
        outcome = told[effect.id][0]
        assert outcome.result in {"succeeded", "declined", "needs_action"}, outcome
        assert len(world.charges_of(bill)) == 1
        if outcome.result != "needs_action":  # Stripe names no charge when it only asks for authentication
            assert outcome.charge == world.charges_of(bill)[0]["charge"]
    for effect in effects[8:]:
        assert isinstance(told[effect.id][0], MessageSettled)
        assert told[effect.id][0].result == "sent", told[effect.id][0]
    assert [len(world.mails_of(bill)) for bill in mails] == [1, 1]
    process.terminate()
    assert process.wait(10) == 0
    assert "@" not in world.log().replace("billing@", "")
