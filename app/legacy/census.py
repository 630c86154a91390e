"""How many are connected to the raw endpoints, over all processes.

Each process reports its numbers beside its sign of life (`models.processes`) and adds those of the
others to its own, which are of this moment; those of the others are a few seconds old.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from heapq import nsmallest

from app.legacy.dialect import Dialect, Peers
from models.database import Document

MAX_USERS = 1_000
"""Users that a report names, by a hash: 8 KB. Up to so many are counted exactly, beyond that to
some 3 % (they are the smallest of evenly spread numbers, whose largest says how dense they are)."""

MAX_NAMES = 1_000
"""Channels that a report has, those with the most connections: some 50 KB."""

TURN_PEERS = 500
"""Connections counted between two turns of the loop."""

_HASH_BYTES = 6
_HASHES = 1 << 8 * _HASH_BYTES


class Tally:
    """The connections to one endpoint, over all processes."""

    def __init__(
        self, dialect: Dialect, peers: Peers, others: Callable[[], Sequence[Document]]
    ) -> None:
        """`others` returns what the other processes that live have reported."""
        self._dialect = dialect
        self._peers = peers
        self._others = others

    @property
    def connections(self) -> int:
        """How many connections there are."""
        elsewhere: int = sum(each.get("connections", 0) for each in self._reports())
        return len(self._peers) + elsewhere

    @property
    def users(self) -> int:
        """How many accounts have connections; those at several processes count once."""
        lists = [each.get("users", ()) for each in self._reports()]
        if not any(lists):
            return self._peers.users
        lists.append(self._own_users())
        known: set[int] = set().union(*lists)
        if all(len(each) < MAX_USERS for each in lists):
            return len(known)
        largest = nsmallest(MAX_USERS, known)[-1]
        return round((MAX_USERS - 1) * _HASHES / largest)

    async def names(self) -> Counter[str]:
        """Count the connections by what each has joined."""
        counts = await self._own_names()
        for each in self._reports():
            counts.update(dict(each.get("names", ())))
        return counts

    async def report(self) -> Document:
        """Return what the other processes are to know of this one's connections."""
        if not self._peers:
            return {}
        names = (await self._own_names()).most_common(MAX_NAMES)
        return {
            "connections": len(self._peers),
            "users": self._own_users(),
            "names": [list(each) for each in names],
        }

    def _reports(self) -> Iterable[Document]:
        return [each.get(self._dialect.name, {}) for each in self._others()]

    def _own_users(self) -> list[int]:
        return nsmallest(MAX_USERS, {_hash(peer.identity.account_id) for peer in self._peers})

    async def _own_names(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for number, peer in enumerate(self._peers, 1):
            counts.update(self._dialect.joined(peer))
            if number % TURN_PEERS == 0:
                await asyncio.sleep(0)
        return counts


class Census:
    """The tallies of all endpoints."""

    def __init__(
        self, endpoints: Mapping[Dialect, Peers], others: Callable[[], Sequence[Document]]
    ) -> None:
        """`others` returns what the other processes that live have reported."""
        self._tallies = {
            dialect: Tally(dialect, peers, others) for dialect, peers in endpoints.items()
        }

    def __getitem__(self, dialect: Dialect) -> Tally:
        """Return the tally of one endpoint."""
        return self._tallies[dialect]

    async def report(self) -> Document:
        """Return what the other processes are to know: by a dialect's name, what its tally says."""
        reports = {dialect.name: await tally.report() for dialect, tally in self._tallies.items()}
        return {name: report for name, report in reports.items() if report}


@lru_cache(maxsize=65_536)
def _hash(account_id: str) -> int:
    return int.from_bytes(blake2b(account_id.encode(), digest_size=_HASH_BYTES).digest())
