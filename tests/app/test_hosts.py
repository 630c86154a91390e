"""Hosts and origins as headers write them."""

import pytest

from app.hosts import parse_host, parse_origin


@pytest.mark.parametrize(
    ("text", "name", "port"),
    [
        ("localhost", "localhost", None),
        ("LocalHost:8080", "localhost", 8080),
        ("a.localhost:1", "a.localhost", 1),
        ("my_app-1.example.com", "my_app-1.example.com", None),
        ("127.0.0.1:65535", "127.0.0.1", 65535),
        ("[::1]:8080", "::1", 8080),
        ("[0:0:0:0:0:0:0:1]", "::1", None),
    ],
)
def test_a_host(text, name, port):
    """A name is read in lower case, an address in its one canonical form."""
    host = parse_host(text)
    assert (host.name, host.port) == (name, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ":80", "localhost:", "localhost:0", "localhost:65536", "localhost:8o"),
        *("localhost:+80", "localhost:80:80", "localhost.", ".localhost", "a..localhost", "a b"),
        *("user@localhost", "user:pw@localhost", "localhost/", "localhost,localhost", "localhost#"),
        *("[::1", "::1", "::1]", "[::1]x", "[localhost]", "[127.0.0.1]x", "[fe80::1%eth0]", "[]"),
        *("127.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "256.0.0.1", "1.2.3.4.5"),
        *("lo\u0441alhost", "localhost\x00", "\uff4cocalhost", "localhost\n", "evil.0x7f"),
    ],
)
def test_a_malformed_host(text):
    """What no browser writes, or what programs read in different ways, is no host."""
    assert parse_host(text) is None
    assert parse_origin(f"http://{text}") is None


@pytest.mark.parametrize(
    ("text", "local"),
    [
        *(("localhost", True), ("a.b.localhost", True), ("127.9.9.9", True), ("[::1]", True)),
        *(("192.168.1.5:3000", True), ("10.0.0.1", True), ("[fe80::1]", True), ("0.0.0.0", True)),
        *(("[::ffff:127.0.0.1]", True), ("[::ffff:8.8.8.8]", False), ("8.8.8.8", False)),
        *(("[2606:4700::1111]", False), ("localhost.evil.example", False), ("xlocalhost", False)),
    ],
)
def test_a_local_host(text, local):
    """Local is what means this machine or its network without asking any name server."""
    assert parse_host(text).local is local


def test_the_same_origin():
    """The port that a scheme has by default may be left out; scheme and port are compared."""
    assert parse_origin("HTTP://Localhost").triple == parse_origin("http://localhost:80").triple
    assert parse_origin("https://a.example").triple == parse_origin("https://a.example:443").triple
    assert parse_origin("https://a.example").triple != parse_origin("http://a.example").triple


@pytest.mark.parametrize(
    "text",
    [
        *("null", "file://", "*", "ftp://localhost", "http:localhost", "http://localhost/x", "//x"),
        *("http://localhost?x", "http://localhost#x", "http://localhost\\@evil.example", "http://"),
    ],
)
def test_no_origin_of_a_page(text):
    """Only pages that came over HTTP have an origin that names somebody."""
    assert parse_origin(text) is None
