"""The connection settings of librdkafka's clients in the words of Faust and aiokafka, so that one setting opens every client."""

import ssl
from collections.abc import Mapping
from typing import Any

import httpx
from aiokafka.conn import AbstractTokenProvider
from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials

from recovery.adapters.kafka_cluster import Kafka

TOKEN_WITHIN = 10.0
"""Seconds that the token endpoint has for its answer."""


def faust_settings(kafka: Kafka) -> dict[str, Any]:
    """The arguments of faust.App that let it into the cluster; empty where everybody may enter.

    Raises:
        ValueError: a certificate or key cannot be used; the message names the file.

    """
    given = {} if isinstance(kafka, str) else kafka.properties
    found: dict[str, Any] = {}
    if (credentials := _credentials(given)) is not None:
        found["broker_credentials"] = credentials
    if "client.id" in given:
        found["broker_client_id"] = given["client.id"]
    for name, ours in (
        ("metadata.max.age.ms", "consumer_metadata_max_age_ms"),
        ("connections.max.idle.ms", "consumer_connections_max_idle_ms"),
    ):
        if name in given:
            found[ours] = int(given[name])
    return found


def _credentials(given: Mapping[str, str]) -> Any:
    protocol = given.get("security.protocol", "PLAINTEXT").upper()
    context = _context(given) if protocol.endswith("SSL") else None
    if protocol == "SSL":
        return SSLCredentials(context)
    if not protocol.startswith("SASL_"):
        return None
    mechanism = given.get("sasl.mechanism", "").upper()
    if mechanism == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=Tokens(given), ssl_context=context)
    if mechanism not in {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}:
        raise ValueError(f"The stream worker cannot log in by {mechanism}; it takes PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER.")
    return SASLCredentials(
        username=given.get("sasl.username"), password=given.get("sasl.password"), mechanism=mechanism, ssl_context=context
    )


def _context(given: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=given.get("ssl.ca.location"))
        if certificate := given.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, given.get("ssl.key.location"), given.get("ssl.key.password"))
    except (OSError, ssl.SSLError) as error:
        files = " or ".join(given[name] for name in ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location") if name in given)
        raise ValueError(
            f"{files} cannot be used for TLS ({error.strerror or 'not understood'}): are they certificates and a key in PEM?"
        ) from error
    if given.get("ssl.endpoint.identification.algorithm") == "none":
        context.check_hostname = False
    if given.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Gets a token for each connection by the client credentials grant, as librdkafka's method `oidc` does for the others."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._url = given.get("sasl.oauthbearer.token.endpoint.url", "")
        self._client = (given.get("sasl.oauthbearer.client.id", ""), given.get("sasl.oauthbearer.client.secret", ""))
        self._scope, self._ca = given.get("sasl.oauthbearer.scope", ""), given.get("https.ca.location")

    async def token(self) -> str:
        """A fresh token. Raises httpx.HTTPError or ValueError when the endpoint gives none; aiokafka tries again."""
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        verify = ssl.create_default_context(cafile=self._ca) if self._ca else True
        async with httpx.AsyncClient(verify=verify, timeout=TOKEN_WITHIN) as client:
            answer = await client.post(self._url, data=form, auth=self._client)
        answer.raise_for_status()
        token = answer.json().get("access_token")
        if not isinstance(token, str) or not token:
            raise ValueError("the token endpoint answered without an access_token")
        return token
