"""Settings of every program, parsed from a mapping that the entry point hands in; nothing here reads the environment."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

PRIVATE_NETWORKS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""The default address of proxies."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a Dunlin process. Paths are absolute; addresses empty when not set."""

    home: Path
    kafka_bootstrap: str
    kafka_security_protocol: str
    kafka_sasl_mechanism: str
    kafka_sasl_username: str
    kafka_sasl_password_file: Path | None
    kafka_oauth_token_url: str
    kafka_oauth_client_id: str
    kafka_oauth_client_secret_file: Path | None
    kafka_oauth_scope: str
    kafka_ssl_ca_file: Path | None
    kafka_ssl_certificate_file: Path | None
    kafka_ssl_key_file: Path | None
    kafka_ssl_key_password_file: Path | None
    kafka_properties_file: Path | None
    kafka_replication: int
    clickhouse_url: str
    tenants_file: Path
    clock_file: Path | None
    stripe_api_base: str
    smtp_url: str
    mail_from: str
    mail_allow_external: bool
    public_url: str
    link_keys_file: Path
    bounce_mailbox_url: str
    gateway_host: str
    gateway_port: int
    gateway_shares_port: bool
    gateway_proxies: tuple[str, ...]
    dashboard_port: int
    ledger_url: str
    contacts_url: str
    app_id: str
    worker_id: str
    partitions: int
    ready_file: Path | None
    tick_seconds: float
    linger_ms: int
    log_level: str
    twilio_account_sid: str
    twilio_auth_token: str
    twilio_phone_number: str
    twilio_api_base: str
    slack_allow_any_host: bool
    dashboard_url: str
    dashboard_account: str
    webhook_allow_private_addresses: bool
    webhook_ports: tuple[int, ...]


_YES = frozenset({"yes", "true", "1", "on"})
_NO = frozenset({"no", "false", "0", "off"})
SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")

MEANINGS: dict[str, str] = {
    "DUNLIN_HOME": "folder of all local state: broker, database, ledger, contacts, logs (default .dunlin)",
    "DUNLIN_KAFKA_BOOTSTRAP": "host:port of a real Kafka, several with commas between them; when set, no broker is started",
    "DUNLIN_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL (default PLAINTEXT)",
    "DUNLIN_KAFKA_SASL_MECHANISM": "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER, for a protocol with SASL",
    "DUNLIN_KAFKA_SASL_USERNAME": "user of PLAIN and SCRAM",
    "DUNLIN_KAFKA_SASL_PASSWORD_FILE": "file whose first line is that user's password",
    "DUNLIN_KAFKA_OAUTH_TOKEN_URL": "where OAUTHBEARER gets its tokens: an OpenID provider's token endpoint (client credentials grant)",
    "DUNLIN_KAFKA_OAUTH_CLIENT_ID": "client id at that endpoint",
    "DUNLIN_KAFKA_OAUTH_CLIENT_SECRET_FILE": "file whose first line is that client's secret",
    "DUNLIN_KAFKA_OAUTH_SCOPE": "scope requested at that endpoint (default none)",
    "DUNLIN_KAFKA_SSL_CA_FILE": "certificates (PEM) of the authorities that vouch for the brokers (default: those of the machine)",
    "DUNLIN_KAFKA_SSL_CERTIFICATE_FILE": "client certificate (PEM), for brokers that ask for one",
    "DUNLIN_KAFKA_SSL_KEY_FILE": "key of the client certificate (PEM)",
    "DUNLIN_KAFKA_SSL_KEY_PASSWORD_FILE": "file whose first line is that key's password, where it has one",
    "DUNLIN_KAFKA_PROPERTIES_FILE": "further properties of Kafka's clients, name=value in librdkafka's names (docs/operations.md)",
    "DUNLIN_KAFKA_REPLICATION": "copies of every topic that Dunlin creates; 0 leaves it to the brokers (default 0)",
    "DUNLIN_CLICKHOUSE_URL": "http://user:password@host:port/ of a real ClickHouse; when set, none is started",
    "DUNLIN_TENANTS_FILE": "the tenants file (default DUNLIN_HOME/tenants.toml)",
    "DUNLIN_CLOCK_FILE": "clock file of a sandbox run; without it business time is wall time",
    "DUNLIN_STRIPE_API_BASE": "address of the sandbox's API; without it the real Stripe is used",
    "DUNLIN_SMTP_URL": "smtp://[user:password@]host:port or smtps://...; without it no mail can be sent",
    "DUNLIN_MAIL_FROM": "sender address of mails to payers",
    "DUNLIN_MAIL_ALLOW_EXTERNAL": "must be yes before a mail leaves for an SMTP server that is not on this machine",
    "DUNLIN_PUBLIC_URL": "https address under which payers and Twilio reach the gateway; without it mails carry direct links and no pixel",
    "DUNLIN_LINK_KEYS_FILE": "keys that sign links in messages, one a line, the first signs (default DUNLIN_HOME/links.keys)",
    "DUNLIN_BOUNCE_MAILBOX_URL": "mailbox of returned mails, for `producers bounces`: imaps://user:password@host/Folder or maildir:/folder",
    "DUNLIN_GATEWAY_HOST": "address the gateway listens on (default 127.0.0.1)",
    "DUNLIN_GATEWAY_PORT": "port of the gateway (default 8090)",
    "DUNLIN_GATEWAY_PROXIES": "networks of the TLS proxies in front of the gateway, with commas between them: their connections are not "
    "counted by address (default loopback and private networks)",
    "DUNLIN_GATEWAY_SHARES_PORT": "yes lets several gateways listen on the one port; the system shares connections out among them",
    "DUNLIN_DASHBOARD_PORT": "port of the dashboard (default 8501)",
    "DUNLIN_LEDGER_URL": "SQLAlchemy URL of the effects ledger, SQLite or postgresql+psycopg:// (default sqlite in DUNLIN_HOME)",
    "DUNLIN_CONTACTS_URL": "SQLAlchemy URL of the contacts store (default sqlite in DUNLIN_HOME)",
    "DUNLIN_APP_ID": "name of this installation on Kafka: consumer groups, transactional ids, changelog (default dunlin)",
    "DUNLIN_WORKER_ID": "name of this stream worker, unique among them; restarted under its name it takes its partitions back at once",
    "DUNLIN_PARTITIONS": "partitions of every topic, chosen once (default 4)",
    "DUNLIN_READY_FILE": "a file that the process creates when it is ready to work; the supervisor sets it",
    "DUNLIN_TICK_SECONDS": "wall seconds between two TimePassed facts (default 5; a fast clock ticks more often by itself)",
    "DUNLIN_LINGER_MS": "milliseconds between two batches of a busy stream worker; an idle one takes a fact at once (default 50)",
    "DUNLIN_LOG_LEVEL": "debug, info, warning or error (default info)",
    "TWILIO_ACCOUNT_SID": "Twilio account that texts payers (AC...); without it no SMS is sent",
    "TWILIO_AUTH_TOKEN": "that account's auth token: a secret, needed with the account",
    "TWILIO_PHONE_NUMBER": "sender of texts: a number as +15005550006, or a messaging service (MG...)",
    "DUNLIN_TWILIO_API_BASE": "another address of Twilio's API, for a region or a sandbox (default https://api.twilio.com)",
    "DUNLIN_SLACK_ALLOW_ANY_HOST": "yes lets Slack alerts go to other addresses than https://hooks.slack.com/services/...",
    "DUNLIN_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "yes lets webhooks go to private addresses, any port and plain http: for development alone",
    "DUNLIN_WEBHOOK_PORTS": "ports that a merchant's endpoint may have, with commas between them (default 443,8443)",
    "DUNLIN_DASHBOARD_ACCOUNT": "the one Stripe account (acct_...) whose figures the dashboard shows; without it the dashboard shows none",
    "DUNLIN_DASHBOARD_URL": "address under which merchants reach the dashboard; alerts link there when it is set",
}
"""Every environment variable that a Dunlin program reads, with its meaning; docs/settings.md is printed from it."""


def from_env(env: Mapping[str, str]) -> Settings:
    """The settings in an environment mapping.

    Raises:
        ValueError: a value cannot be read; the message names the variable and what it takes.

    """
    home = Path(env.get("DUNLIN_HOME") or ".dunlin").absolute()
    return Settings(
        home=home,
        kafka_bootstrap=env.get("DUNLIN_KAFKA_BOOTSTRAP", ""),
        kafka_security_protocol=_choice(env, "DUNLIN_KAFKA_SECURITY_PROTOCOL", SECURITY_PROTOCOLS),
        kafka_sasl_mechanism=_choice(env, "DUNLIN_KAFKA_SASL_MECHANISM", SASL_MECHANISMS),
        kafka_sasl_username=env.get("DUNLIN_KAFKA_SASL_USERNAME", ""),
        kafka_sasl_password_file=_path(env, "DUNLIN_KAFKA_SASL_PASSWORD_FILE"),
        kafka_oauth_token_url=env.get("DUNLIN_KAFKA_OAUTH_TOKEN_URL", ""),
        kafka_oauth_client_id=env.get("DUNLIN_KAFKA_OAUTH_CLIENT_ID", ""),
        kafka_oauth_client_secret_file=_path(env, "DUNLIN_KAFKA_OAUTH_CLIENT_SECRET_FILE"),
        kafka_oauth_scope=env.get("DUNLIN_KAFKA_OAUTH_SCOPE", ""),
        kafka_ssl_ca_file=_path(env, "DUNLIN_KAFKA_SSL_CA_FILE"),
        kafka_ssl_certificate_file=_path(env, "DUNLIN_KAFKA_SSL_CERTIFICATE_FILE"),
        kafka_ssl_key_file=_path(env, "DUNLIN_KAFKA_SSL_KEY_FILE"),
        kafka_ssl_key_password_file=_path(env, "DUNLIN_KAFKA_SSL_KEY_PASSWORD_FILE"),
        kafka_properties_file=_path(env, "DUNLIN_KAFKA_PROPERTIES_FILE"),
        kafka_replication=_number(env, "DUNLIN_KAFKA_REPLICATION", 0, 0, 32),
        clickhouse_url=env.get("DUNLIN_CLICKHOUSE_URL", ""),
        tenants_file=Path(env.get("DUNLIN_TENANTS_FILE") or home / "tenants.toml").absolute(),
        clock_file=_path(env, "DUNLIN_CLOCK_FILE"),
        stripe_api_base=env.get("DUNLIN_STRIPE_API_BASE", ""),
        smtp_url=env.get("DUNLIN_SMTP_URL", ""),
        mail_from=env.get("DUNLIN_MAIL_FROM") or "billing@dunlin.example",
        mail_allow_external=_yes(env, "DUNLIN_MAIL_ALLOW_EXTERNAL"),
        public_url=env.get("DUNLIN_PUBLIC_URL", "").rstrip("/"),
        link_keys_file=Path(env.get("DUNLIN_LINK_KEYS_FILE") or home / "links.keys").absolute(),
        bounce_mailbox_url=env.get("DUNLIN_BOUNCE_MAILBOX_URL", ""),
        gateway_host=env.get("DUNLIN_GATEWAY_HOST") or "127.0.0.1",
        gateway_port=_number(env, "DUNLIN_GATEWAY_PORT", 8090, 0, 65535),
        gateway_shares_port=_yes(env, "DUNLIN_GATEWAY_SHARES_PORT"),
        gateway_proxies=_networks(env, "DUNLIN_GATEWAY_PROXIES", PRIVATE_NETWORKS),
        dashboard_port=_number(env, "DUNLIN_DASHBOARD_PORT", 8501, 0, 65535),
        ledger_url=env.get("DUNLIN_LEDGER_URL") or f"sqlite:///{home / 'ledger.sqlite'}",
        contacts_url=env.get("DUNLIN_CONTACTS_URL") or f"sqlite:///{home / 'contacts.sqlite'}",
        app_id=env.get("DUNLIN_APP_ID") or "dunlin",
        worker_id=env.get("DUNLIN_WORKER_ID", ""),
        partitions=_number(env, "DUNLIN_PARTITIONS", 4, 1, 512),
        ready_file=_path(env, "DUNLIN_READY_FILE"),
        tick_seconds=_seconds(env, "DUNLIN_TICK_SECONDS", 5.0),
        linger_ms=_number(env, "DUNLIN_LINGER_MS", 50, 0, 5_000),
        log_level=env.get("DUNLIN_LOG_LEVEL") or "info",
        twilio_account_sid=env.get("TWILIO_ACCOUNT_SID", ""),
        twilio_auth_token=env.get("TWILIO_AUTH_TOKEN", ""),
        twilio_phone_number=env.get("TWILIO_PHONE_NUMBER", ""),
        twilio_api_base=env.get("DUNLIN_TWILIO_API_BASE", ""),
        slack_allow_any_host=_yes(env, "DUNLIN_SLACK_ALLOW_ANY_HOST"),
        dashboard_url=env.get("DUNLIN_DASHBOARD_URL", "").rstrip("/"),
        dashboard_account=_account(env, "DUNLIN_DASHBOARD_ACCOUNT"),
        webhook_allow_private_addresses=_yes(env, "DUNLIN_WEBHOOK_ALLOW_PRIVATE_ADDRESSES"),
        webhook_ports=_ports(env, "DUNLIN_WEBHOOK_PORTS", "443,8443"),
    )


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]).absolute() if env.get(name) else None


def _account(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not re.fullmatch(r"[A-Za-z0-9_]{0,255}", value):
        raise ValueError(f"{name} is {value!r}; it takes the id of one Stripe account, such as acct_1Nx7.")
    return value


def _choice(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = env.get(name, "").strip().upper()
    if value and value not in choices:
        raise ValueError(f"{name} is {value!r}; it takes one of {', '.join(choices)}.")
    return value


def _yes(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "").strip().lower()
    if value not in _YES | _NO | {""}:
        raise ValueError(f"{name} is {value!r}; it takes yes, true, 1 or on, and no, false, 0 or off.")
    return value in _YES


def _number(env: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    text = env.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise ValueError(f"{name} is {text!r}; it takes a whole number from {lowest} to {highest}.")
    return int(text)


def _ports(env: Mapping[str, str], name: str, default: str) -> tuple[int, ...]:
    text = env.get(name) or default
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= 65535 for word in words):
        raise ValueError(f"{name} is {text!r}; it takes port numbers with commas between them, such as 443,8443.")
    return tuple(int(word) for word in words)


def _networks(env: Mapping[str, str], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    words = [word.strip() for word in env.get(name, "").split(",") if word.strip()]
    try:
        return tuple(str(ipaddress.ip_network(word)) for word in words) or default
    except ValueError as error:
        raise ValueError(f"{name}: {error}; it takes networks with commas between them, such as 10.0.0.0/8,192.0.2.7.") from error


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise ValueError(f"{name} is {text!r}; it takes a number of seconds above 0.")
    return value
