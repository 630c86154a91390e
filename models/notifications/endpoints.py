"""Which addresses a push may go to.

Anyone who subscribes chooses the endpoint, so it may name anything this server can reach: its own
machine, its neighbours, the cloud's metadata service. In production only public ones are allowed,
over https; the sender checks the addresses that names stand for with `is_public` as well.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from models.errors import Invalid

_NAT64 = IPv6Network("64:ff9b::/96")
"""The well-known prefix (RFC 6052), whose addresses are judged by the IPv4 address in them."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that IANA has given out. What lies outside and is not local either are ways to write or to
translate IPv4 addresses: ::10.0.0.1, ::ffff:0:10.0.0.1, 64:ff9b:1::10.0.0.1."""

_HOST = re.compile(r"[A-Za-z0-9._:-]+")
HTTPS_PORT = 443


def check_endpoint(endpoint: str, *, public_only: bool) -> None:
    """Refuse what is not a push service's address.

    Without `public_only`, for one's own machine, http and any address will do.

    Raises:
        Invalid: field `endpoint` says why.
    """
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise _refused("Not an address.")
    if parts.username is not None or parts.password is not None:
        raise _refused("An address without a user name, please.")
    if _HOST.fullmatch(host) is None:
        # Clients decode some of these: %31%30.0.0.%31 becomes an address.
        raise _refused("Not the name or address of a host.")
    if parts.scheme != "https" and (public_only or parts.scheme != "http"):
        raise _refused("Push services are reached by https.")
    if public_only and port not in (None, HTTPS_PORT):
        raise _refused("Push services listen on port 443.")
    if public_only and not _may_be_public(host):
        raise _refused("Not the address of a public service.")


def is_public(address: str) -> bool:
    """Whether an IP address, as text, belongs to the public internet."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        embedded = parsed.ipv4_mapped
        if parsed in _NAT64:
            embedded = IPv4Address(int(parsed) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded))
        if parsed not in _GLOBAL_UNICAST or parsed.sixtofour or parsed.teredo or _isatap(parsed):
            return False
    return parsed.is_global and not parsed.is_multicast


def _isatap(address: IPv6Address) -> bool:
    """Whether the interface identifier is an IPv4 address of a tunnel (RFC 5214, 6.1)."""
    return int(address) >> 32 & 0xFDFFFFFF == 0x00005EFE


def _may_be_public(host: str) -> bool:
    """Judge what is written; names are judged again by what they resolve to."""
    labels = host.rstrip(".").split(".")
    # The last label of a name is never a number; 127.1 and 0x7f.1 are ways to write an address.
    if ":" in host or labels[-1][:1].isdigit():
        return is_public(host)
    return len(labels) > 1 and labels[-1].lower() not in {"localhost", "local", "internal"}


def _refused(why: str) -> Invalid:
    return Invalid("Some fields are not valid.", fields={"endpoint": [why]})
