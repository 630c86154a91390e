"""What one account sees of a conversation's log: everything, but what was kept from it.

In a direct conversation one side may have gone unheard for a time. Its messages of that time have
their places in the log, and the other side passes over them: they are in no page and no count.
"""

from dataclasses import dataclass

from models.chat.records import StoredConversation, StoredMessage


@dataclass(frozen=True, slots=True)
class Visibility:
    """The log as one account sees it; `hidden` are ranges of seqs, both ends included, in order."""

    account_id: str
    hidden: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, conversation: StoredConversation, account_id: str, newest: int) -> "Visibility":
        """Return what the account sees of a conversation whose newest message is `newest`."""
        ranges = [
            (silence["first"], newest if silence["last"] is None else silence["last"])
            for silence in conversation.get("silences", ())
            if silence["hidden_from"] == account_id
        ]
        return cls(account_id, tuple(sorted(span for span in ranges if span[0] <= span[1])))

    def sees(self, message: StoredMessage) -> bool:
        """Return whether the account may see a message."""
        return self.account_id not in message.get("kept_from", ()) and not any(
            first <= message["seq"] <= last for first, last in self.hidden
        )

    def newest(self, seq: int) -> int:
        """Return the last seq up to `seq` that the account sees, 0 when there is none."""
        for first, last in reversed(self.hidden):
            if first <= seq <= last:
                seq = first - 1
        return seq

    def count(self, after: int, upto: int) -> int:
        """Return how many seqs above `after` and up to `upto` the account sees."""
        hidden = sum(
            max(0, min(last, upto) - max(first, after + 1) + 1) for first, last in self.hidden
        )
        return max(0, upto - after - hidden)

    def upwards(self, after: int, upto: int, limit: int) -> list[int]:
        """Return the first `limit` seqs above `after` and up to `upto` that the account sees."""
        seqs: list[int] = []
        seq = after + 1
        for first, last in (*self.hidden, (upto + 1, upto + 1)):
            stop = min(first - 1, upto, seq + limit - len(seqs) - 1)
            seqs += range(seq, stop + 1)
            seq = max(seq, last + 1)
        return seqs

    def downwards(self, end: int, limit: int) -> list[int]:
        """Return the last `limit` seqs up to `end` that the account sees, in rising order."""
        seqs: list[int] = []
        seq = end
        for first, last in (*reversed(self.hidden), (0, 0)):
            stop = max(last + 1, 1, seq - (limit - len(seqs)) + 1)
            seqs += range(seq, stop - 1, -1)
            seq = min(seq, first - 1)
        return seqs[::-1]
