"""Why Kafka cannot be used, in one sentence, and what to do about it."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import confluent_kafka as kafka
from confluent_kafka.admin import AdminClient

from recovery.adapters.kafka_cluster import Kafka, client_properties

log = logging.getLogger(__name__)
silent_log = logging.getLogger("librdkafka")
silent_log.addFilter(lambda record: not record.getMessage().startswith("FAIL"))  # each failed try to connect; `Trouble` says it in words
ANSWER_WITHIN = 10.0
"""Seconds that a program waits at its start for a broker to answer."""
REPEAT_SECONDS = 60.0
"""How often a running program repeats a trouble that stays."""
BROKERS = "the addresses of DUNLIN_KAFKA_BOOTSTRAP"
"""Replaces the addresses in a sentence where they are unknown."""
_E = kafka.KafkaError


class KafkaUnusable(ConnectionError):
    """Kafka cannot be reached, refuses the login or withholds a right; the text is one sentence about it and what to do."""


_LOGIN = (
    "Kafka at {brokers} refuses the login ({said}): check DUNLIN_KAFKA_SASL_MECHANISM, DUNLIN_KAFKA_SASL_USERNAME and the file of "
    "DUNLIN_KAFKA_SASL_PASSWORD_FILE, or the client of DUNLIN_KAFKA_OAUTH_TOKEN_URL."
)
_TLS = (
    "The TLS connection to Kafka at {brokers} fails ({said}): check DUNLIN_KAFKA_SSL_CA_FILE, a client certificate if the brokers ask for "
    "one, and DUNLIN_KAFKA_SECURITY_PROTOCOL."
)
_RIGHT = (
    "Kafka at {brokers} withholds a right ({said}): give this user the rights that docs/operations.md lists for its programs, then start "
    "again."
)
_AWAY = (
    "Kafka at {brokers} cannot be reached ({said}): is it running, and are DUNLIN_KAFKA_BOOTSTRAP and DUNLIN_KAFKA_SECURITY_PROTOCOL right?"
)
_ABSENT = "Kafka at {brokers} lacks a topic ({said}): create the topics with `dunlin topics create`."
_COPIES = "Kafka at {brokers} has too few brokers for so many copies of a topic ({said}): set DUNLIN_KAFKA_REPLICATION."
_OTHER = "Kafka at {brokers} answers with an error ({said}); see its log."

_BY_CODE = {
    _E._AUTHENTICATION: _LOGIN,
    _E.SASL_AUTHENTICATION_FAILED: _LOGIN,
    _E.UNSUPPORTED_SASL_MECHANISM: _LOGIN,
    _E._SSL: _TLS,
    _E.TOPIC_AUTHORIZATION_FAILED: _RIGHT,
    _E.GROUP_AUTHORIZATION_FAILED: _RIGHT,
    _E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: _RIGHT,
    _E.CLUSTER_AUTHORIZATION_FAILED: _RIGHT,
    _E._RESOLVE: _AWAY,
    _E._TRANSPORT: _AWAY,
    _E._TIMED_OUT: _AWAY,
    _E._ALL_BROKERS_DOWN: _AWAY,
    _E.UNKNOWN_TOPIC_OR_PART: _ABSENT,
    _E._UNKNOWN_TOPIC: _ABSENT,
    _E.INVALID_REPLICATION_FACTOR: _COPIES,
}
_VAGUE = frozenset({_E._TIMED_OUT, _E._ALL_BROKERS_DOWN})
"""Errors that are only a consequence of another one, which is shown instead of them."""
NO_WAIT = frozenset(code for code, text in _BY_CODE.items() if text in {_LOGIN, _RIGHT})
"""Errors that waiting does not cure."""


def sentence(kafka_: Kafka, errors: Iterable[kafka.KafkaError]) -> str:
    """What the errors mean, one sentence: of a login, TLS or right before that nothing answered."""
    errors = list(errors)
    chosen = min(errors, key=_rank, default=None)
    message = _short(chosen.str()) if chosen is not None else "no answer"
    text = _meaning(chosen) if chosen is not None else _AWAY
    return text.format(brokers=kafka_, said=message.rstrip("."))


def _short(text: str) -> str:
    """librdkafka's words without its name for the connection and the state it was in."""
    text = re.sub(r"^\S+: (?=\S)|\s*\(after \d+ms in state [^)]*\)", "", " ".join(text.split()))
    return text[:300]


def _rank(error: kafka.KafkaError) -> int:
    if error.code() in _VAGUE:
        return 3
    return [_LOGIN, _RIGHT, _TLS].index(text) - 3 if (text := _meaning(error)) in {_LOGIN, _RIGHT, _TLS} else 0


def _meaning(error: kafka.KafkaError) -> str:
    """A broker that wants a client certificate hangs up with an alert, which the client reports as a broken connection."""
    return _TLS if error.code() == _E._TRANSPORT and "SSL" in error.str() else _BY_CODE.get(error.code(), _OTHER)


def error_text(error: kafka.KafkaException) -> str:
    """A client's exception as one sentence, where the addresses are not known."""
    return str(unusable(BROKERS, error))


def unusable(kafka_: Kafka, error: kafka.KafkaException) -> KafkaUnusable:
    """A client's exception as one sentence."""
    first = error.args[0] if error.args else None
    return KafkaUnusable(sentence(kafka_, [first] if isinstance(first, kafka.KafkaError) else []))


class Trouble:
    """The `error_cb` of a client: says a trouble once, and again while it stays, as one sentence in the log."""

    def __init__(self, kafka_: Kafka, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._kafka, self._elapsed = kafka_, elapsed
        self._logged_at: dict[str, float] = {}
        self._errors: list[kafka.KafkaError] = []

    def __call__(self, error: kafka.KafkaError) -> None:
        """Log it, unless it was said lately."""
        self._errors = [*self._errors[-4:], error]
        if _meaning(error) is _AWAY and error.code() != _E._ALL_BROKERS_DOWN:
            return  # one broker of several; the client asks the others
        text, now = sentence(self._kafka, self._errors), self._elapsed()
        if now - self._logged_at.get(text, -REPEAT_SECONDS) >= REPEAT_SECONDS:
            self._logged_at = {text: now}
            log.error("%s", text)

    def why(self, error: kafka.KafkaException) -> str:
        """What an exception of the client means, with what the client reported lately."""
        return sentence(self._kafka, [*self._errors, error.args[0]])


def check(kafka_: Kafka, seconds: float = ANSWER_WITHIN, elapsed: Callable[[], float] = time.monotonic) -> None:
    """Return when a broker has answered and let us in. Raises KafkaUnusable, at once where waiting cures nothing."""
    errors: list[kafka.KafkaError] = []
    raised: list[kafka.KafkaError] = []
    client = admin(kafka_, error_cb=errors.append)
    deadline = elapsed() + seconds
    while True:
        try:
            client.list_topics(timeout=min(1.0, seconds))
        except kafka.KafkaException as error:
            raised = [error.args[0]]
        else:
            return
        client.poll(0)
        if elapsed() >= deadline or any(error.code() in NO_WAIT for error in [*errors, *raised]):
            raise KafkaUnusable(sentence(kafka_, [*errors, *raised]))


def check_topics(kafka_: Kafka, names: Iterable[str]) -> None:
    """Return when these topics are there and this user may see them. Raises KafkaUnusable."""
    client = admin(kafka_)
    for name in names:
        try:
            error = client.list_topics(name, timeout=ANSWER_WITHIN).topics[name].error
        except kafka.KafkaException as problem:
            raise unusable(kafka_, problem) from problem
        if error is not None:
            raise KafkaUnusable(sentence(kafka_, [error]))


def admin(kafka_: Kafka, **more: Any) -> AdminClient:
    """A client for questions about the cluster. Raises KafkaUnusable when it cannot be configured so."""
    try:
        return AdminClient({**client_properties(kafka_), "log_level": 3, **more}, logger=silent_log)
    except kafka.KafkaException as error:
        raise misconfigured(error) from error


def misconfigured(error: kafka.KafkaException) -> KafkaUnusable:
    """A client that could not be made from its properties, as one sentence."""
    message = " ".join((error.args[0].str() if error.args and isinstance(error.args[0], kafka.KafkaError) else str(error)).split())
    return KafkaUnusable(
        f"Kafka's client does not take its settings ({message}): check the DUNLIN_KAFKA_... settings and the file of "
        "DUNLIN_KAFKA_PROPERTIES_FILE."
    )
