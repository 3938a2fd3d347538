"""The list of parts says what a stack consists of."""

import itertools

import pytest

from dunlin.stack.services import SERVICE_NAMES, LocalPorts, chosen, full_stack
from recovery.config import from_env

PASSWORDS = {"admin": "a1", "sink": "s2", "reader": "r4", "dashboard": "d3"}


def stack(has_policies=True, **env):
    settings = from_env({"DUNLIN_HOME": "/home/of/dunlin", **env})
    return full_stack(settings, LocalPorts(), PASSWORDS, has_policies=has_policies)


def part(name, parts):
    return next(each for each in parts if each.name == name)


def test_a_full_stack_has_every_part_in_order():
    assert tuple(each.name for each in stack()) == SERVICE_NAMES


def test_waves_never_go_back():
    assert all(before.wave <= after.wave for before, after in itertools.pairwise(stack()))


def test_services_start_only_after_all_one_shots():
    parts = stack()
    last_one_shot = max(each.wave for each in parts if each.one_shot)
    assert {
        each.wave for each in parts if each.name in {"gateway", "ticker", "streams", "warehouse", "effects", "expiring", "dashboard"}
    } == {last_one_shot + 1}


def test_a_configured_kafka_replaces_ours_for_every_part():
    parts = stack(DUNLIN_KAFKA_BOOTSTRAP="kafka.example:9092")
    assert "kafka" not in {each.name for each in parts}
    told = {each.env.get("DUNLIN_KAFKA_BOOTSTRAP") for each in parts if each.name != "clickhouse"}
    assert told == {"kafka.example:9092"}


def test_a_configured_clickhouse_replaces_ours():
    parts = stack(DUNLIN_CLICKHOUSE_URL="http://u:p@warehouse.example:8123/")
    assert "clickhouse" not in {each.name for each in parts}
    assert part("warehouse", parts).env["DUNLIN_CLICKHOUSE_URL"] == "http://u:p@warehouse.example:8123/"


@pytest.mark.parametrize(
    ("name", "user"),
    [("migrate", "admin:a1"), ("warehouse", "sink:s2"), ("dashboard", "dashboard:d3")],
)
def test_each_user_of_the_warehouse_is_given_to_its_part_alone(name, user):
    assert part(name, stack()).env["DUNLIN_CLICKHOUSE_URL"] == f"http://{user}@127.0.0.1:8123/"


@pytest.mark.parametrize("name", ["gateway", "ticker", "streams", "effects", "topics", "policies"])
def test_parts_that_do_not_need_the_warehouse_get_no_password_of_it(name):
    assert "DUNLIN_CLICKHOUSE_URL" not in part(name, stack()).env


def test_without_a_tenants_file_no_policies_are_published():
    assert "policies" not in {each.name for each in stack(has_policies=False)}


def test_in_a_sandbox_links_lead_to_the_gateway_itself():
    parts = stack(DUNLIN_STRIPE_API_BASE="http://127.0.0.1:1", DUNLIN_GATEWAY_PORT="8123")
    assert {part(name, parts).env["DUNLIN_PUBLIC_URL"] for name in ("gateway", "effects")} == {"http://127.0.0.1:8123"}


@pytest.mark.parametrize("world", [{}, {"DUNLIN_STRIPE_API_BASE": "http://127.0.0.1:1"}])
def test_a_public_address_that_is_set_is_used(world):
    parts = stack(DUNLIN_PUBLIC_URL="https://pay.heron.example/", **world)
    assert part("effects", parts).env["DUNLIN_PUBLIC_URL"] == "https://pay.heron.example"


def test_real_payers_are_never_sent_to_this_machine_by_its_loopback_address():
    assert part("effects", stack()).env["DUNLIN_PUBLIC_URL"] == ""


def test_expiring_cards_are_looked_for_once_a_day():
    assert part("expiring", stack()).argv[-3:] == ("expiring", "--every", "86400")


def test_no_two_parts_listen_on_one_port():
    ports = [port for each in stack() for port in each.ports.values()]
    assert len(ports) == len(set(ports)) == 6


def test_nothing_listens_beyond_this_machine():
    assert "--server.address=127.0.0.1" in part("dashboard", stack()).argv


def test_only_and_without_choose_parts():
    parts = stack()
    assert [each.name for each in chosen(parts, ["kafka", "streams"], ["streams"])] == ["kafka"]
    assert "dashboard" not in {each.name for each in chosen(parts, [], ["dashboard"])}


def test_an_unknown_part_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"kafak.*kafka, clickhouse"):
        chosen(stack(), ["kafak"], [])


@pytest.mark.parametrize("name", ["clickhouse", "dashboard"])
def test_the_account_of_the_dashboard_is_known_to_the_page_and_to_the_database(name):
    assert part(name, stack(DUNLIN_DASHBOARD_ACCOUNT="acct_1Heron")).env["DUNLIN_DASHBOARD_ACCOUNT"] == "acct_1Heron"
