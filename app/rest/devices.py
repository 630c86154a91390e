"""What a request says about the device behind it: its network, and a hint at its program."""

import re
from ipaddress import IPv6Address, ip_address

from aiohttp import web

from models.accounts import Device
from models.accounts.queue import Client

# Browsers name those they descend from, so the order decides.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"[A-Za-z0-9._-]{1,32}")
AGENT_MAX = 512
"""Characters of a User-Agent that are looked at; browsers send less than 200."""


def device_of(request: web.Request) -> Device:
    """Return what the account's owner will see of the session that this request opens."""
    return Device(
        client=client_family(request.headers.get("User-Agent", "")),
        network=client_network(request.remote) or None,
    )


def client_of(request: web.Request) -> Client:
    """Return who asks, and how to find out that they have left."""
    return Client(
        client_network(request.remote),
        gone=lambda: request.transport is None or request.transport.is_closing(),
    )


def client_family(user_agent: str) -> str | None:
    """Return the family in a User-Agent: `Firefox on Linux`, `curl`; None when it names none."""
    agent = user_agent[:AGENT_MAX]
    browser = _first(_BROWSERS, agent)
    if browser is None:
        product = _PRODUCT.match(agent)
        return product[0] if product else None
    system = _first(_SYSTEMS, agent)
    return f"{browser} on {system}" if system else browser


def client_network(address: str | None) -> str:
    """Return what one client cannot change about its address: IPv4 whole, of IPv6 the /64."""
    try:
        parsed = ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str | None:
    return next((family for mark, family in names if mark in agent), None)
