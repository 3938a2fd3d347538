"""Connection settings become client properties, and what cannot work is refused with the setting's name and without a secret."""

import ssl

import pytest

from recovery.adapters.kafka_cluster import OURS, Cluster, client_properties, cluster
from recovery.config import from_env
from streams.kafka.credentials import faust_settings

SCRAM = {
    "DUNLIN_KAFKA_BOOTSTRAP": "kafka-1:9092, kafka-2:9092",
    "DUNLIN_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "DUNLIN_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "DUNLIN_KAFKA_SASL_USERNAME": "dunlin",
    "DUNLIN_KAFKA_SASL_PASSWORD_FILE": "{folder}/password",
}
OAUTH = {
    "DUNLIN_KAFKA_BOOTSTRAP": "kafka-1:9092",
    "DUNLIN_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "DUNLIN_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "DUNLIN_KAFKA_OAUTH_TOKEN_URL": "https://login.example/token",
    "DUNLIN_KAFKA_OAUTH_CLIENT_ID": "dunlin",
    "DUNLIN_KAFKA_OAUTH_CLIENT_SECRET_FILE": "{folder}/password",
    "DUNLIN_KAFKA_OAUTH_SCOPE": "kafka",
}


@pytest.fixture
def made(tmp_path):
    (tmp_path / "password").write_text("swordfish\n")

    def make(env, properties="") -> Cluster:
        (tmp_path / "more.properties").write_text(properties)
        env = {"DUNLIN_KAFKA_PROPERTIES_FILE": "{folder}/more.properties", **env} if properties else env
        return cluster(from_env({name: value.format(folder=tmp_path) for name, value in env.items()}))

    return make


def test_an_open_kafka_needs_nothing_but_its_addresses(made):
    assert client_properties(made({"DUNLIN_KAFKA_BOOTSTRAP": "kafka-1:9092"})) == {"bootstrap.servers": "kafka-1:9092"}
    assert client_properties("kafka-1:9092") == {"bootstrap.servers": "kafka-1:9092"}
    assert faust_settings(made({"DUNLIN_KAFKA_BOOTSTRAP": "kafka-1:9092"})) == {}


def test_tls_and_scram_reach_every_client_of_librdkafka(made):
    assert client_properties(made(SCRAM)) == {
        "bootstrap.servers": "kafka-1:9092,kafka-2:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "dunlin",
        "sasl.password": "swordfish",
    }


def test_tls_and_scram_reach_faust(made):
    credentials = faust_settings(made(SCRAM))["broker_credentials"]
    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (credentials.username, credentials.password) == ("dunlin", "swordfish")
    assert credentials.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert credentials.ssl_context.check_hostname


def test_tokens_come_from_the_endpoint_of_the_settings_in_both_kinds_of_clients(made):
    found = client_properties(made(OAUTH))
    assert found["sasl.oauthbearer.method"] == "oidc"
    assert found["sasl.oauthbearer.token.endpoint.url"] == "https://login.example/token"
    assert found["sasl.oauthbearer.client.secret"] == "swordfish"
    assert faust_settings(made(OAUTH))["broker_credentials"].mechanism.value == "OAUTHBEARER"


def test_further_properties_come_from_a_file_and_reach_every_client(made):
    found = made(SCRAM, "# ours\n\nclient.id = heron\nsocket.keepalive.enable=true\nmetadata.max.age.ms=60000\n")
    assert client_properties(found)["socket.keepalive.enable"] == "true"
    assert faust_settings(found)["broker_client_id"] == "heron"
    assert faust_settings(found)["consumer_metadata_max_age_ms"] == 60_000


def test_a_login_may_stand_in_the_file_as_well(made):
    found = made({"DUNLIN_KAFKA_BOOTSTRAP": "k:1"}, "security.protocol=SASL_SSL\nsasl.mechanisms=PLAIN\nsasl.username=u\nsasl.password=p\n")
    assert faust_settings(found)["broker_credentials"].username == "u"


@pytest.mark.parametrize("name", sorted(OURS))
def test_what_exactly_once_rests_on_cannot_be_set_in_the_file(made, name):
    with pytest.raises(ValueError, match=f"Line 1 .* sets {name}"):
        made(SCRAM, f"{name}=0\n")


def without(settings, *names):
    return {name: value for name, value in settings.items() if name not in names}


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (without(SCRAM, "DUNLIN_KAFKA_SASL_USERNAME"), "set DUNLIN_KAFKA_SASL_USERNAME"),
        (without(SCRAM, "DUNLIN_KAFKA_SASL_PASSWORD_FILE"), "set DUNLIN_KAFKA_SASL_PASSWORD_FILE"),
        (without(SCRAM, "DUNLIN_KAFKA_SASL_MECHANISM"), "set DUNLIN_KAFKA_SASL_MECHANISM"),
        (without(SCRAM, "DUNLIN_KAFKA_SECURITY_PROTOCOL"), "the security protocol is PLAINTEXT"),
        (without(OAUTH, "DUNLIN_KAFKA_OAUTH_TOKEN_URL"), "set DUNLIN_KAFKA_OAUTH_TOKEN_URL"),
        (SCRAM | {"DUNLIN_KAFKA_SASL_MECHANISM": "GSSAPI"}, "takes one of PLAIN"),
        (SCRAM | {"DUNLIN_KAFKA_SASL_PASSWORD_FILE": "{folder}/absent"}, "DUNLIN_KAFKA_SASL_PASSWORD_FILE.* cannot be read"),
        (SCRAM | {"DUNLIN_KAFKA_SSL_CA_FILE": "{folder}/absent"}, "DUNLIN_KAFKA_SSL_CA_FILE.* cannot be read"),
        (SCRAM | {"DUNLIN_KAFKA_SSL_KEY_FILE": "{folder}/password"}, "needs both"),
        ({"DUNLIN_KAFKA_REPLICATION": "three"}, "DUNLIN_KAFKA_REPLICATION"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(made, env, words):
    with pytest.raises(ValueError, match=words) as refused:
        made(env)
    assert "swordfish" not in str(refused.value)


def test_a_file_that_is_no_certificate_is_named(made):
    with pytest.raises(ValueError, match=r"password cannot be used for TLS"):
        faust_settings(made(SCRAM | {"DUNLIN_KAFKA_SSL_CA_FILE": "{folder}/password"}))


def test_an_empty_password_file_is_refused(made, tmp_path):
    (tmp_path / "empty").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        made(SCRAM | {"DUNLIN_KAFKA_SASL_PASSWORD_FILE": "{folder}/empty"})


def test_nothing_that_prints_a_cluster_prints_its_password(made):
    found = made(SCRAM)
    assert not [text for text in (str(found), repr(found), f"{found}") if "swordfish" in text]
