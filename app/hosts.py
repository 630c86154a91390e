"""Names of hosts as requests write them: `host[:port]` in `Host`, and inside an `Origin`.

Only what a browser or a proxy can write is read (RFC 9110, 7.2; RFC 3986, 3.2.2, without user
information): an IPv4 address in four decimal numbers, an IPv6 address in brackets and without a
zone, or a registered name in ASCII.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::([0-9]{1,5}))?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ORIGIN = re.compile(r"(https?)://([^/?#@\\]+)")
_PORT_MAX = 65_535
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Host:
    """A host and, where one was written, its port."""

    name: str
    """In lower case; an IPv6 address without its brackets."""

    port: int | None
    address: IPv4Address | IPv6Address | None
    """Set where the name is an IP literal."""

    @property
    def local(self) -> bool:
        """Whether the name means this machine wherever it is resolved (RFC 6761, 6.3), or is an
        address that is not routed on the internet."""
        if self.address is None:
            return self.name == "localhost" or self.name.endswith(".localhost")
        mapped = getattr(self.address, "ipv4_mapped", None)
        return not (mapped or self.address).is_global


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a web page."""

    scheme: str
    host: Host

    @property
    def triple(self) -> tuple[str, str, int]:
        """Return what makes two origins the same (RFC 6454, 5): scheme, name, port."""
        return self.scheme, self.host.name, self.host.port or _DEFAULT_PORTS[self.scheme]


def parse_host(text: str) -> Host | None:
    """Parse `host[:port]`; None where it is malformed."""
    found = _AUTHORITY.fullmatch(text.lower())
    if found is None or not 0 < int(found[2] or "1") <= _PORT_MAX:
        return None
    name, port = found[1].strip("[]"), int(found[2]) if found[2] else None
    labels = name.split(".")
    if found[1].startswith("[") or _NUMERIC_LABEL.fullmatch(labels[-1]):
        # What ends in a number is an address or nothing (WHATWG URL, 3.5): `127.1` is refused.
        try:
            address = ip_address(name)
        except ValueError:
            return None
        return Host(str(address), port, address)
    if not all(labels):
        # Also a name with a dot at its end: it would be one more spelling of each name.
        return None
    return Host(name, port, None)


def parse_origin(text: str) -> Origin | None:
    """Parse the origin of a page that came over HTTP; None for others and malformed ones."""
    found = _ORIGIN.fullmatch(text.lower())
    host = parse_host(found[2]) if found else None
    return Origin(found[1], host) if found and host else None
