"""The compose file obeys the published schema and starts the programs that exist."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
IMAGES = {"kafka", "clickhouse"}


def check(file: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def program(command: list[str]) -> list[str]:
    """A command without interpreter and options."""
    words = [word for word in command if not word.startswith("-") and word != "python"]
    return words if words[0] == "dunlin" else words[:3]


def test_the_compose_file_obeys_the_published_schema(tmp_path: Path) -> None:
    assert check(ROOT / "docker-compose.yml").returncode == 0
    broken = tmp_path / "compose.yml"
    broken.write_text(json.dumps(COMPOSE | {"services": {"kafka": {"imagine": "apache/kafka"}}}))
    assert check(broken).returncode == 1, "the check itself must be able to fail"


def test_every_part_of_a_stack_is_a_service() -> None:
    from dunlin.stack.services import SERVICE_NAMES

    assert {name for name, service in COMPOSE["services"].items() if "profiles" not in service} == set(SERVICE_NAMES)


def test_the_services_run_what_the_supervisor_runs() -> None:
    from dunlin.clickhouse_server.users import USERS
    from dunlin.stack.services import LocalPorts, full_stack
    from recovery.config import from_env

    passwords = dict.fromkeys(USERS, "x")
    parts = {part.name: part for part in full_stack(from_env({}), LocalPorts(), passwords, has_policies=True)}
    for name, service in COMPOSE["services"].items():
        if name in IMAGES or "profiles" in service:
            continue
        ours = [word.removeprefix(f"{ROOT}/") for word in parts[name].argv[1:]]
        assert program(service["command"]) == program(ours), name


def test_the_optional_parts_of_ours_are_programs_too() -> None:
    from producers.cli import parser

    optional = {name: service["command"] for name, service in COMPOSE["services"].items() if "profiles" in service and "command" in service}
    assert set(optional) == {"bounces"}
    for command in optional.values():
        assert command[:3] == ["python", "-m", "producers"]
        parser().parse_args(command[3:])  # leaves the program when it does not know the words


@pytest.mark.parametrize("name", ["gateway", "effects", "bounces"])
def test_who_reads_links_and_contacts_shares_their_folder_and_the_address_of_the_links(name: str) -> None:
    service = COMPOSE["services"][name]
    assert "state:/var/lib/dunlin" in service["volumes"]
    assert "DUNLIN_PUBLIC_URL" in service["environment"]
    assert not {"DUNLIN_LINK_KEYS_FILE", "DUNLIN_CONTACTS_URL"} & set(service["environment"]), "both lie in DUNLIN_HOME"


def test_nothing_listens_beyond_this_machine() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_every_dunlin_setting_in_it_exists() -> None:
    from recovery.config import MEANINGS

    named = {name for service in COMPOSE["services"].values() for name in service.get("environment", {}) if name.startswith("DUNLIN_")}
    assert named <= set(MEANINGS)


SECRETS = "./config:/etc/dunlin:ro"


def test_only_those_who_need_secrets_and_contacts_mount_them() -> None:
    mounted = {name: service.get("volumes", []) for name, service in COMPOSE["services"].items()}
    assert {name for name, volumes in mounted.items() if SECRETS in volumes} == {"policies", "gateway", "effects", "expiring", "bounces"}
    assert {name for name, volumes in mounted.items() if "state:/var/lib/dunlin" in volumes} == {
        "policies",
        "gateway",
        "effects",
        "bounces",
    }


def test_only_those_who_write_to_clickhouse_know_its_password() -> None:
    users = {name: service.get("environment", {}).get("DUNLIN_CLICKHOUSE_URL", "") for name, service in COMPOSE["services"].items()}
    assert {name for name, url in users.items() if "//dunlin:" in url} == {"migrate", "warehouse"}
    assert {name for name, url in users.items() if "//dashboard:" in url} == {"dashboard"}


def test_the_dashboards_user_is_limited_in_every_table_with_rows_of_accounts() -> None:
    from recovery.contracts.warehouse import ACCOUNT_TABLES, DATABASE

    user = ET.parse(ROOT / "docker" / "clickhouse-users.xml").find("users/dashboard")
    assert user is not None
    tables = user.find(f"databases/{DATABASE}")
    assert tables is not None
    assert {(table.tag, rule.get("from_env")) for table in tables for rule in table} == {
        (name, "DASHBOARD_ROWS") for name in ACCOUNT_TABLES
    }
    server = COMPOSE["services"]["clickhouse"]
    assert {"DASHBOARD_ROWS", "CLICKHOUSE_DASHBOARD_PASSWORD"} <= set(server["environment"])
    assert any(volume.startswith("./docker/clickhouse-users.xml:/etc/clickhouse-server/users.d/") for volume in server["volumes"])


def test_every_part_that_speaks_to_kafka_can_be_given_a_login() -> None:
    for name, service in COMPOSE["services"].items():
        environment = service.get("environment", {})
        if "DUNLIN_KAFKA_BOOTSTRAP" in environment:
            assert {"DUNLIN_KAFKA_SECURITY_PROTOCOL", "DUNLIN_KAFKA_SASL_PASSWORD_FILE"} <= set(environment), name
