"""A Kafka that requires TLS and a login: every client comes in by the same settings, and who does not is told why in one sentence."""

import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from dunlin.stack.ports import free_ports
from recovery.adapters import clickhouse as clickhouse_adapter
from recovery.adapters.kafka import Publisher, consumer
from recovery.adapters.kafka_cluster import cluster
from recovery.adapters.kafka_trouble import KafkaUnusable, check
from recovery.config import from_env
from recovery.contracts.topics import FACTS
from sinks.warehouse import migrate
from tests.support.services.secured_kafka import PASSWORD, secured_kafka
from tests.unit.producers.stripe_objects import SECRET, an_event, an_invoice, dumped, signed

pytestmark = pytest.mark.real
REPOSITORY = Path(__file__).resolve().parents[3]
WAYS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "CERTIFICATE")
TENANTS = """\
[[tenant]]
account = "acct_1"
name = "Heron"
api_key_file = "key"
webhook_secrets_file = "secrets"
"""


@pytest.fixture(scope="module")
def broker():
    with secured_kafka() as made:
        yield made


@pytest.fixture
def home(tmp_path):
    for name, content in {"tenants.toml": TENANTS, "key": "sk_test_1\n", "secrets": f"{SECRET}\n"}.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def run(environment, *words):
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=90)


@pytest.mark.parametrize("way", WAYS)
def test_topics_producer_consumer_and_stream_worker_come_in(broker, home, start, until, way):
    app = f"heron-{way.lower()}"
    ready = home / "ready"
    settings = {**broker.environment(way), "DUNLIN_HOME": str(home), "DUNLIN_APP_ID": app, "DUNLIN_READY_FILE": str(ready)}
    created = run(settings | {"PATH": ""}, "dunlin", "topics", "create")
    assert created.returncode == 0, created.stderr
    assert f"{app}-cases-changelog" in created.stdout

    brokers = cluster(from_env(settings))
    publisher = Publisher(brokers)
    publisher.send(FACTS.name, b"acct_1/cus_1", b"{}")
    publisher.flush()
    reader = consumer(brokers, app)
    reader.subscribe([FACTS.name])
    until(lambda: any(message.value() == b"{}" for message in reader.consume(100, 0.2)), 60, "the message")
    reader.close()

    worker = start("-m", "streams", "worker", env=settings)
    until(lambda: ready.exists() or worker.process.poll() is not None, 90, "the worker is ready")
    assert worker.process.poll() is None, worker.said
    assert PASSWORD not in worker.said


def test_a_webhook_becomes_a_row_through_a_broker_that_asks_for_tls_and_scram(broker, home, clickhouse, start, until):
    """The whole way: gateway, stream worker, warehouse sink."""
    migrate.run(clickhouse.url("sink"), lambda _: None)
    settings = {**broker.environment("SCRAM-SHA-512"), "DUNLIN_HOME": str(home), "DUNLIN_APP_ID": "scram-flow"}
    settings |= {
        "DUNLIN_CLICKHOUSE_URL": clickhouse.url("sink"),
        "DUNLIN_GATEWAY_PORT": "0",
        "DUNLIN_TENANTS_FILE": str(home / "tenants.toml"),
    }
    settings |= {"DUNLIN_STRIPE_API_BASE": f"http://127.0.0.1:{free_ports(1)[0]}"}  # closed: the read of the invoice may fail here
    assert run(settings | {"PATH": ""}, "dunlin", "topics", "create").returncode == 0
    files = {name: home / f"{name}.ready" for name in ("gateway", "ticker", "worker", "warehouse", "effects")}
    programs = [
        start("-m", *words, env=settings | {"DUNLIN_READY_FILE": str(files[words[-1]])})
        for words in (
            ("producers", "gateway"),
            ("producers", "ticker"),
            ("streams", "worker"),
            ("sinks", "warehouse"),
            ("sinks", "effects"),
        )
    ]
    for name, program in zip(files, programs, strict=True):
        until(lambda name=name, program=program: files[name].exists() or program.process.poll() is not None, 90, f"{name} is ready")
        assert program.process.poll() is None, program.said
    body = dumped(an_event("invoice.payment_failed", an_invoice(customer="cus_scram"), id="evt_scram_1"))
    header = signed(body, at=int(time.time())).decode()
    answer = httpx.post(
        f"http://{files['gateway'].read_text().strip()}/api/stripe/webhook/acct_1", content=body, headers={"Stripe-Signature": header}
    )
    assert answer.status_code == 200
    with clickhouse_adapter.client(clickhouse.url("reader")) as server:
        question = "SELECT count() FROM dunlin.events WHERE account = 'acct_1' AND customer = 'cus_scram'"
        until(lambda: int(server.command(question)) > 0, 60, "the row")
    assert all(PASSWORD not in program.said for program in programs)


REFUSALS = {
    "a wrong password": ("SCRAM-SHA-512", {"password": "wrong"}, {}, "refuses the login"),
    "an unknown user": ("PLAIN", {"user": "nobody"}, {}, "refuses the login"),
    "a client without a secret": ("OAUTHBEARER", {"password": "wrong"}, {}, "refuses the login"),
    "an authority nobody knows": ("PLAIN", {}, {"DUNLIN_KAFKA_SSL_CA_FILE": "{folder}/client.crt"}, "The TLS connection to Kafka"),
    "no TLS": ("PLAIN", {}, {"DUNLIN_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "cannot be reached"),
    "no client certificate": (
        "CERTIFICATE",
        {},
        {"DUNLIN_KAFKA_SSL_CERTIFICATE_FILE": "", "DUNLIN_KAFKA_SSL_KEY_FILE": ""},
        "The TLS connection to Kafka",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_who_does_not_come_in_is_told_why_in_one_sentence(broker, case):
    way, as_whom, instead, words = REFUSALS[case]
    settings = broker.environment(way, **as_whom) | {name: value.format(folder=broker.folder) for name, value in instead.items()}
    with pytest.raises(KafkaUnusable, match=words) as refused:
        check(cluster(from_env(settings)), seconds=5)
    assert "\n" not in str(refused.value)
    assert "DUNLIN_KAFKA_" in str(refused.value)
    assert PASSWORD not in str(refused.value)


PROGRAMS = {
    "topics": (("dunlin", "topics", "create"), "Authorization"),
    "gateway": (("producers", "gateway"), "Topic"),
    "ticker": (("producers", "ticker"), "Topic"),
    "command": (("producers", "command", "retry", "acct_1", "cus_1", "--who", "ann"), "Topic"),
    "streams": (("streams", "worker"), "Group|Topic|Transactional"),
    "warehouse": (("sinks", "warehouse"), "Group|Topic"),
    "effects": (("sinks", "effects"), "Group|Topic"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_user_without_rights_is_told_which_one_is_missing(broker, home, program):
    """The guest may log in and do nothing."""
    words, right = PROGRAMS[program]
    settings = {**broker.environment("PLAIN", user="guest"), "DUNLIN_HOME": str(home), "PATH": "", "DUNLIN_GATEWAY_PORT": "0"}
    done = run(settings | {"DUNLIN_CLICKHOUSE_URL": "http://x:y@127.0.0.1:1/"}, *words)
    assert done.returncode not in {0, None}
    assert re.search(rf"withholds a right \(.*({right})", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
