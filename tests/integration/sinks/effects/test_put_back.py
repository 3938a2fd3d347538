"""A mail that broke its performer until it was given up is redriven by an operator, and leaves once."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.effects_harness import REPOSITORY
from tests.support.waiting import until

pytestmark = pytest.mark.real

MISTAKE = """
import sys
if "effects" in sys.orig_argv:
    import sinks.effects.mail.email
    import sinks.effects.stripe.charges
    def broken(*_):
        raise ZeroDivisionError("a mistake of this version")
    sinks.effects.mail.email.EmailPerformer.__call__ = broken
    sinks.effects.stripe.charges.Charges.__call__ = broken
"""


def dunlin(world, *words, code=0):
    settings = {
        "DUNLIN_HOME": str(world.home / "dunlin"),
        "DUNLIN_KAFKA_BOOTSTRAP": world.kafka,
        "DUNLIN_TENANTS_FILE": str(world.home / "tenants.toml"),
        "DUNLIN_CLOCK_FILE": str(world.clock_file),
    }
    command = [sys.executable, "-m", "dunlin", "parked", *words]
    done = subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **settings}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def parked(world):
    found = json.loads(dunlin(world, "list", "--topic", "sinks", "--reason", "zerodivision", "--json"))
    return {one["topic"]: one for one in found if one["account"] == world.account}


def test_a_given_up_mail_leaves_once_when_it_is_put_back_and_a_given_up_charge_is_refused(world, tmp_path):
    """B33: a charge whose case has decided anew is not made beside the next one."""
    bill, other = world.take(2)
    mail, charge = world.mail(bill), world.charge(other)
    (tmp_path / "sitecustomize.py").write_text(MISTAKE)
    world.start_sink(PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}")
    world.emit(mail, charge)
    given_up = world.outcomes({mail.id, charge.id}, 60)
    assert [given_up[one.id][0].why for one in (mail, charge)] == ["parked", "parked"]
    until(lambda: len(parked(world)) == 2, 60, "both parked messages")
    world.stop_sinks()
    assert world.mails_of(bill) == []

    names = {topic: one["name"] for topic, one in parked(world).items()}
    assert "ZeroDivisionError: a mistake of this version" in dunlin(world, "show", names["effects.messages"])
    refused = dunlin(world, "replay", names["effects.stripe"], "--who", "ada", code=1)
    assert "has decided anew" in refused
    world.start_sink()
    for told, more in ((2, ()), (3, ("--again",))):
        assert "1 of 1 replayed" in dunlin(world, "replay", names["effects.messages"], "--who", "ada", *more)
        until(lambda told=told: len(world.outcomes({mail.id})[mail.id]) == told, 60, "the outcome to be told")
    first, second, again = world.outcomes({mail.id})[mail.id]
    assert (second.result, second.id) == ("sent", f"{first.id}:1")
    assert again == second
    assert len(world.mails_of(bill)) == 1
    assert world.charges_of(other) == []
