"""Who is connected to one raw endpoint."""

from collections.abc import Iterator

from app.legacy.peer import RawPeer


class Roster:
    """The peers of each account, the oldest first."""

    def __init__(self) -> None:
        self._peers: dict[str, list[RawPeer]] = {}
        self._total = 0

    def __len__(self) -> int:
        """Return the number of peers."""
        return self._total

    def __iter__(self) -> Iterator[RawPeer]:
        """Return the peers of this moment; they may come and go meanwhile."""
        return iter([peer for peers in self._peers.values() for peer in peers])

    @property
    def users(self) -> int:
        """Return the number of accounts that have a peer."""
        return len(self._peers)

    def numbers(self) -> dict[str, int]:
        """Return how many peers each account has."""
        return {account_id: len(peers) for account_id, peers in self._peers.items()}

    def __contains__(self, peer: RawPeer) -> bool:
        """Whether a peer is connected."""
        return peer in self._peers.get(peer.identity.account_id, ())

    def of(self, account_id: str) -> list[RawPeer]:
        """Return the peers of one account."""
        return list(self._peers.get(account_id, ()))

    def add(self, peer: RawPeer) -> None:
        """Add a peer that is not there."""
        self._peers.setdefault(peer.identity.account_id, []).append(peer)
        self._total += 1

    def remove(self, peer: RawPeer) -> bool:
        """Remove a peer; False when it was not there."""
        account_id = peer.identity.account_id
        peers = self._peers.get(account_id, [])
        if peer not in peers:
            return False
        peers.remove(peer)
        self._total -= 1
        if not peers:
            del self._peers[account_id]
        return True
