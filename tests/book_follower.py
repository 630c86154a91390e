"""A client that follows a book, written from `docs/api.md` alone."""

import zlib
from typing import Any


class BookFollower:
    """Keeps one book at one depth; `must_fetch` says when it has to send `get_book`."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.must_fetch = True
        self.fetches = 0
        self.compared = 0
        self.seq = -1
        self._kept: list[tuple[str, dict[str, Any]]] = []
        self._levels: dict[str, dict[str, int]] = {}
        self._known_to: dict[str, float | None] = {}

    def take(self, book: dict[str, Any]) -> None:
        """Take the ack of `subscribe_book` or `get_book`."""
        self.fetches += 1
        self.seq = book["seq"]
        for side in ("bid", "ask"):
            levels = book[f"{side}s"]
            self._levels[side] = {level["price"]: level["quantity"] for level in levels}
            more = book[f"more_{side}s"]
            self._known_to[side] = float(levels[-1]["price"]) if more else None
        self.must_fetch = False
        kept, self._kept = self._kept, []
        for name, data in kept:
            self.hear(name, data)
        self._look_for_gaps()

    def hear(self, name: str, data: dict[str, Any]) -> None:
        """Hear an event of the book."""
        if name == "book":
            if self.must_fetch:
                self._kept.append((name, data))
            else:
                self._apply(data)
        elif name == "book_heartbeat" and not self.must_fetch:
            self._compare(data)

    def view(self) -> dict[str, list[dict[str, Any]]]:
        """Return the levels that a fresh snapshot of this depth shows."""
        return {f"{side}s": self._best(side)[: self.depth] for side in ("bid", "ask")}

    def _apply(self, event: dict[str, Any]) -> None:
        if event["seq"] <= self.seq:
            return
        if event["prev_seq"] != self.seq:
            self._kept.append(("book", event))
            self.must_fetch = True
            return
        self.seq = event["seq"]
        side, price, bound = event["side"], float(event["price"]), self._known_to[event["side"]]
        if bound is None or (price >= bound if side == "bid" else price <= bound):
            self._levels[side].pop(event["price"], None)
            if event["quantity"]:
                self._levels[side][event["price"]] = event["quantity"]
        self._look_for_gaps()

    def _look_for_gaps(self) -> None:
        for side, bound in self._known_to.items():
            if bound is not None and len(self._levels[side]) < self.depth:
                self.must_fetch = True

    def _compare(self, beat: dict[str, Any]) -> None:
        if beat["seq"] > self.seq:
            self.must_fetch = True
        elif beat["seq"] == self.seq:
            known = [len(self._levels[side]) for side in self._known_to if self._known_to[side]]
            count = min([10, *known])
            levels = [
                f"{side}:{level['price']}:{level['quantity']}"
                for side in ("bid", "ask")
                for level in self._best(side)[:count]
            ]
            self.compared += 1
            if beat["checksums"][count - 1] != zlib.crc32("|".join(levels).encode()):
                raise AssertionError(f"depth {self.depth}: other levels than at seq {self.seq}")

    def _best(self, side: str) -> list[dict[str, Any]]:
        prices = sorted(self._levels[side], key=float, reverse=side == "bid")
        return [{"price": price, "quantity": self._levels[side][price]} for price in prices]
