"""Whether the workers' ports are free: they share them, and would share them with anyone."""

from collections.abc import Iterable

from app.http.listening import bound


def find_ports_free(host: str, ports: Iterable[int]) -> None:
    """Return if nobody listens on these ports.

    Workers listen with SO_REUSEPORT, by which the system divides new connections between them. A
    second server of the same user would get its share, too, without a word.

    Raises:
        OSError: a port is taken, or not for us; or there is no such host.
    """
    for port in dict.fromkeys(ports):
        for each in bound(host, port):
            each.close()
