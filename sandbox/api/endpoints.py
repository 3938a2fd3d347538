"""The registered webhook addresses of the account."""

from dataclasses import dataclass, field

from sandbox.api.errors import invalid, missing
from sandbox.api.shapes import API_VERSION
from sandbox.simulation.events import VERSION_NAMES
from sandbox.simulation.records import Json
from sandbox.simulation.seeded_random import Luck


@dataclass(slots=True)
class Endpoint:
    """A registered address; `account` is set on Connect endpoints only, whose events name it."""

    id: str
    url: str
    enabled_events: frozenset[str]
    api_version: str
    secret: str
    created: float
    connect: bool
    description: str | None

    def wants(self, kind: str) -> bool:
        """Whether events of this type go here."""
        return kind in self.enabled_events or "*" in self.enabled_events

    def shown(self) -> Json:
        """The WebhookEndpoint object, without its secret."""
        return {
            "id": self.id,
            "object": "webhook_endpoint",
            "api_version": self.api_version,
            "application": None,
            "created": int(self.created),
            "description": self.description,
            "enabled_events": sorted(self.enabled_events),
            "livemode": False,
            "metadata": {},
            "status": "enabled",
            "url": self.url,
        }


@dataclass(slots=True)
class Endpoints:
    """The registered addresses of the account."""

    luck: Luck
    known: dict[str, Endpoint] = field(default_factory=dict)
    _made: int = 0

    def create(self, params: Json, at: float) -> Endpoint:
        """Register an address; 400 for a bad one, an unknown API version, or a seventeenth endpoint."""
        url, wanted = str(params.get("url", "")), params.get("enabled_events")
        version = str(params.get("api_version") or API_VERSION)
        if not url.startswith(("http://", "https://")):
            raise invalid("Not a valid URL.", "url")
        if not isinstance(wanted, list) or not wanted:
            raise invalid("You must pass at least one enabled event.", "enabled_events")
        if version.rpartition(".")[2] not in VERSION_NAMES:
            raise invalid(f"Invalid API version: {version}.", "api_version")
        if len(self.known) >= 16:
            raise invalid("You have reached the maximum of 16 webhook endpoints.")
        self._made += 1
        endpoint = Endpoint(
            id="we_1" + self.luck.token(23, "endpoint", self._made),
            url=url,
            enabled_events=frozenset(map(str, wanted)),
            api_version=version,
            secret="whsec_" + self.luck.token(32, "secret", self._made),
            created=at,
            connect=str(params.get("connect", "")).lower() == "true",
            description=params.get("description"),
        )
        self.known[endpoint.id] = endpoint
        return endpoint

    def get(self, key: str) -> Endpoint:
        """The endpoint of this id; 404 without one."""
        if key not in self.known:
            raise missing("webhook endpoint", key)
        return self.known[key]
