"""Where an endpoint may be: https on the permitted ports, at addresses that everybody can reach, and nowhere else (no forged requests).

The name is resolved here, every address it has is checked, and the connection goes to a checked address: a name that answers differently a
moment later (DNS rebinding) changes nothing. Ranges: the IANA special-purpose registries (RFC 6890).
"""

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

Resolve = Callable[[str, int], list[str]]
"""The addresses of a host name. Raises OSError when it has none."""
PORTS = (443, 8443)

REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/96",  # unspecified, loopback, IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped: such an address is written as IPv4 by whoever means well
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "100::/64",  # discard
        "2001::/23",  # Teredo and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",  # unique local
        "fe80::/10",
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)
"""Networks that no merchant's endpoint is in."""
UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out to hosts of the internet (RFC 4291); outside it lie, too, further ways to write an IPv4 address."""


class AddressForbidden(Exception):
    """An endpoint must not be called at this address; the text says why and what to change."""


class AddressPolicy(msgspec.Struct, frozen=True):
    """What an endpoint's url may be. `private`: any address, any port and plain http, for development and tests."""

    private: bool = False
    ports: tuple[int, ...] = PORTS


class ResolvedTarget(msgspec.Struct, frozen=True):
    """A url with the addresses that were checked for it: where to connect, and whom to expect there."""

    secure: bool
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def netloc(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """The url with an address for its host."""
        host = f"[{address}]" if ":" in address else address
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.path}"


def resolve_allowed(url: str, rules: AddressPolicy, resolve: Resolve) -> ResolvedTarget:
    """Where to connect for a url.

    Raises:
        AddressForbidden: the url or one of its addresses is not permitted.
        OSError: the host name has no address now.

    """
    secure, host, port, path = _parts(url, rules)
    addresses = resolve(host, port)
    for address in addresses:
        if not rules.private and (why := refusal(address)):
            raise AddressForbidden(f"{host} is at {address}, {why}. An endpoint must be reachable from everywhere.")
    if not addresses:
        raise OSError(f"{host} has no address")
    return ResolvedTarget(secure, host, port, path, tuple(addresses))


def refusal(address: str) -> str:
    """Why an address must not be called, in words; empty when it may."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "which is not a public internet address"
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:  # `fe80::1%eth0`
        return "which is an address of one network only"
    network = next((each for each in REFUSED if ip in each), None)
    if network is not None:
        return f"within {network}, which is not for public hosts"
    return "" if ip.is_global and (ip.version == 4 or ip in UNICAST) else "which is not for public hosts"


def resolved(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver has for a name, IPv4 first. Blocks; raises OSError when there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    by_family = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return list(dict.fromkeys(str(entry[4][0]) for entry in by_family))


def _parts(url: str, rules: AddressPolicy) -> tuple[bool, str, int, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").rstrip(".").encode("idna").decode()  # refuses labels that no resolver takes, also in ASCII
    except ValueError as error:
        raise AddressForbidden(f"The url cannot be read: {error}.") from error
    secure = parts.scheme == "https"
    if not (secure or (parts.scheme == "http" and rules.private)):
        raise AddressForbidden("The url must begin with https://.")
    if not host:
        raise AddressForbidden("The url names no host.")
    if parts.username is not None or parts.password is not None:
        raise AddressForbidden("The url has a user name or password in it; verify the signature instead.")
    port = port or (443 if secure else 80)
    if not rules.private and port not in rules.ports:
        raise AddressForbidden(f"Port {port} is not permitted; use one of {', '.join(map(str, rules.ports))} (DUNLIN_WEBHOOK_PORTS).")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return secure, host, port, path
