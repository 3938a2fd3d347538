"""The proof by crash: every program is killed at random moments of a month, and not a cent, mail or fact is wrong."""

import random
from pathlib import Path

import pytest

from tests.support.demonstration import demonstration
from tests.support.waiting import until

KILLS = 24
MINUTES = 8
SEED = 20_260_101
VICTIMS = ("streams", "effects", "warehouse", "gateway", "streams-2", "effects", "clickhouse", "kafka", "gateway-2")


@pytest.mark.real
@pytest.mark.crash
@pytest.mark.timeout(MINUTES * 60 * 3)
def test_a_month_of_kills_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """At least 20 kill -9 of two stream workers, the sinks, two gateways, ClickHouse and Kafka, and zero differences.

    Business time waits for what was killed, so the month is as long as the machine needs; two workers take over from each other.
    """
    luck = random.Random(SEED)
    moments = sorted(luck.uniform(0.03, 0.93) for _ in range(KILLS))
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(KILLS)]
    luck.shuffle(victims)
    with demonstration(tmp_path, "--customers", "500", "--minutes", str(MINUTES), "--workers", "2", "--gateways", "2") as month:
        for moment, victim in zip(moments, victims, strict=True):
            until(lambda moment=moment: month.fraction() >= moment, 900, f"{moment:.0%} of the month")
            month.kill(victim)
        until(lambda: month.fraction() >= 1.0, 900, "the end of the month")
        report = month.verify()
        restarts = sum(part.restarts for part in month.state().parts.values())
    assert restarts >= 20
    assert report["failures"] > 50
    wrong = {name: report[name] for name in ("differences", "duplicate_charges", "lost_facts", "charges_after_end", "repeated_rows")}
    assert wrong == dict.fromkeys(wrong, 0), report
