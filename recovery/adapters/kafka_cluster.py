"""Which Kafka a program speaks to, and how it is let in: the one place where connection settings become client properties."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from recovery.config import Settings

OURS = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "delivery.timeout.ms",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.instance.id",
        "isolation.level",
        "message.max.bytes",
        "message.timeout.ms",
        "metadata.broker.list",
        "partitioner",
        "request.required.acks",
        "transaction.timeout.ms",
        "transactional.id",
    }
)
"""Properties on which exactly-once delivery and the order of messages rest; a properties file may not set them."""


class Cluster(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A Kafka and how it is reached. It prints as its addresses, since the properties hold passwords."""

    bootstrap: str
    properties: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Cluster({self.bootstrap!r})"

    def __str__(self) -> str:
        return self.bootstrap


Kafka = str | Cluster
"""A cluster, or the address of one that lets everybody in."""


def client_properties(kafka: Kafka) -> dict[str, Any]:
    """What every librdkafka client of this cluster is configured with."""
    if isinstance(kafka, str):
        return {"bootstrap.servers": kafka}
    return {**kafka.properties, "bootstrap.servers": kafka.bootstrap}


def cluster(settings: Settings, bootstrap: str = "") -> Cluster:
    """The cluster of the settings, or the one at `bootstrap`, let in as the settings say.

    Raises:
        ValueError: settings contradict each other, or a file cannot be read; the message names the setting and never a secret.

    """
    address = bootstrap or settings.kafka_bootstrap
    given = {**_from_file(settings.kafka_properties_file), **_tls(settings), **_login(settings)}
    if settings.kafka_security_protocol:
        given["security.protocol"] = settings.kafka_security_protocol
    _refuse_contradictions(given)
    servers = [server.strip() for server in address.split(",") if server.strip()]
    return Cluster(",".join(servers), given)


def _tls(settings: Settings) -> dict[str, str]:
    files = {
        "ssl.ca.location": ("DUNLIN_KAFKA_SSL_CA_FILE", settings.kafka_ssl_ca_file),
        "ssl.certificate.location": ("DUNLIN_KAFKA_SSL_CERTIFICATE_FILE", settings.kafka_ssl_certificate_file),
        "ssl.key.location": ("DUNLIN_KAFKA_SSL_KEY_FILE", settings.kafka_ssl_key_file),
    }
    found = {}
    for name, (setting, path) in files.items():
        if path is not None:
            _text(setting, path)
            found[name] = str(path)
    if settings.kafka_ssl_key_password_file is not None:
        found["ssl.key.password"] = _secret("DUNLIN_KAFKA_SSL_KEY_PASSWORD_FILE", settings.kafka_ssl_key_password_file)
    return found


def _login(settings: Settings) -> dict[str, str]:
    found = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.oauthbearer.token.endpoint.url": settings.kafka_oauth_token_url,
        "sasl.oauthbearer.client.id": settings.kafka_oauth_client_id,
        "sasl.oauthbearer.scope": settings.kafka_oauth_scope,
    }
    if settings.kafka_sasl_password_file is not None:
        found["sasl.password"] = _secret("DUNLIN_KAFKA_SASL_PASSWORD_FILE", settings.kafka_sasl_password_file)
    if settings.kafka_oauth_client_secret_file is not None:
        secret = _secret("DUNLIN_KAFKA_OAUTH_CLIENT_SECRET_FILE", settings.kafka_oauth_client_secret_file)
        found["sasl.oauthbearer.client.secret"] = secret
    if settings.kafka_oauth_token_url:
        found["sasl.oauthbearer.method"] = "oidc"
    return {name: value for name, value in found.items() if value}


def _from_file(path: Path | None) -> dict[str, str]:
    """The properties of a file: name=value, one a line; empty lines and those that begin with # are passed over."""
    found: dict[str, str] = {}
    for number, line in enumerate(_text("DUNLIN_KAFKA_PROPERTIES_FILE", path).splitlines() if path else (), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in words.partition("="))
        if not (name and equals):
            raise ValueError(f"Line {number} of {path} (DUNLIN_KAFKA_PROPERTIES_FILE) is not name=value.")
        if name in OURS:
            raise ValueError(f"Line {number} of {path} sets {name}, on which exactly-once delivery rests; take it out.")
        found["sasl.mechanism" if name == "sasl.mechanisms" else name] = value
    return found


_NEEDED = {
    "PLAIN": {"sasl.username": "DUNLIN_KAFKA_SASL_USERNAME", "sasl.password": "DUNLIN_KAFKA_SASL_PASSWORD_FILE"},
    "SCRAM-SHA-256": {"sasl.username": "DUNLIN_KAFKA_SASL_USERNAME", "sasl.password": "DUNLIN_KAFKA_SASL_PASSWORD_FILE"},
    "SCRAM-SHA-512": {"sasl.username": "DUNLIN_KAFKA_SASL_USERNAME", "sasl.password": "DUNLIN_KAFKA_SASL_PASSWORD_FILE"},
    "OAUTHBEARER": {
        "sasl.oauthbearer.token.endpoint.url": "DUNLIN_KAFKA_OAUTH_TOKEN_URL",
        "sasl.oauthbearer.client.id": "DUNLIN_KAFKA_OAUTH_CLIENT_ID",
        "sasl.oauthbearer.client.secret": "DUNLIN_KAFKA_OAUTH_CLIENT_SECRET_FILE",
    },
}
"""What each mechanism needs, by property and by the setting that gives it."""


def _refuse_contradictions(given: Mapping[str, str]) -> None:
    protocol, mechanism = given.get("security.protocol", "PLAINTEXT").upper(), given.get("sasl.mechanism", "").upper()
    if mechanism and not protocol.startswith("SASL_"):
        raise ValueError(
            f"DUNLIN_KAFKA_SASL_MECHANISM is {mechanism}, but the security protocol is {protocol}: set "
            "DUNLIN_KAFKA_SECURITY_PROTOCOL to SASL_SSL, or to SASL_PLAINTEXT on a private network."
        )
    if protocol.startswith("SASL_") and not mechanism:
        raise ValueError(f"DUNLIN_KAFKA_SECURITY_PROTOCOL is {protocol}: set DUNLIN_KAFKA_SASL_MECHANISM, too.")
    if missing := [setting for name, setting in _NEEDED.get(mechanism, {}).items() if not given.get(name)]:
        raise ValueError(f"DUNLIN_KAFKA_SASL_MECHANISM is {mechanism}: set {' and '.join(missing)}, too.")
    if ("ssl.certificate.location" in given) != ("ssl.key.location" in given):
        raise ValueError("A client certificate needs both DUNLIN_KAFKA_SSL_CERTIFICATE_FILE and DUNLIN_KAFKA_SSL_KEY_FILE.")


def _secret(setting: str, path: Path) -> str:
    lines = _text(setting, path).splitlines()
    if not lines or not lines[0].strip():
        raise ValueError(f"{path} ({setting}) is empty; its first line must be the secret.")
    return lines[0].strip()


def _text(setting: str, path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(f"{path} ({setting}) cannot be read: {why}.") from error
