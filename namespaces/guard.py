"""Limits of accounts and connections: messages, connections, slow commands, refusals in a row.

What an account may do is counted over all its connections, namespaces and transports, so that
nothing is gained by leaving and coming back, or by more connections.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from models.error_codes import ErrorCode
from models.errors import TooManyRequests
from models.limits import ConnectionGuard, TokenBuckets

SLOW_AT_ONCE = 3
"""Slow commands that an account may have under way: impatient clicks, but not a crowd."""

ARRIVALS_AT_ONCE = 16
"""Of clients in a process: enough to keep store and Redis busy. When thousands come back after a
restart the others wait their turn here, and not everyone for everything else."""

MESSAGE_TOKENS = 1
CONNECT_TOKENS = 2
"""Of a namespace or a raw endpoint: others may be notified of its beginning and of its end."""

Limit = Literal["messages", "slow_commands", "connections"]
"""What was too many."""

REFUSALS: frozenset[ErrorCode] = frozenset(
    {
        "invalid",
        "no_type",
        "not_an_object",
        "not_json",
        "not_text",
        "number_too_large",
        "too_many_requests",
        "too_many_slow_commands",
        "unknown_command",
        "unknown_event",
        "unknown_type",
        "unreadable",
    }
)
"""Codes of messages that were refused before a domain looked at them. What a domain answers, such
as that a thing is gone, happens to correct clients, too: a hundred times when they were offline."""


class MessageQueue(Protocol):
    """The messages of one connection, which are handled one after the other."""

    def patience_s(self, limit_s: float) -> float:
        """Return for how long the present message may still wait, of `limit_s` since it came.

        It is 0.0 when the connection has ended.
        """

    async def delay(self, seconds: float) -> bool:
        """Hold up the present message and all after it; nothing more is read meanwhile.

        Returns:
            False when the connection has ended before the time was over.
        """


class AccountLimits:
    """What all connections of an account share.

    Those of other processes included, but for slow commands, which are bounded for each process.
    """

    def __init__(
        self,
        *,
        messages_per_s: float,
        messages_burst: int,
        delay_s: float,
        connections: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the limits.

        Args:
            messages_per_s: messages of an account, on all its connections.
            messages_burst: how many may come at once after a pause.
            delay_s: how long a message waits for its turn before it is refused.
            connections: connections of an account.
            clock: monotonic seconds.
        """
        self.messages = TokenBuckets(messages_per_s, messages_burst, clock)
        self._delay_s = delay_s
        self._max_connections = connections
        self._connections: dict[str, Counter[object]] = {}
        self._slow: Counter[str] = Counter()
        self.arriving = asyncio.Semaphore(ARRIVALS_AT_ONCE)
        """Held while a client is let in; first come, first served."""

        self.elsewhere: Callable[[str], int] = lambda account_id: 0
        """Returns how many connections an account has in other processes."""

        self.changed: Callable[[str], None] = lambda account_id: None
        """Called when an account has more or fewer connections here."""
        self.observe: Callable[[Limit, str | None], None] | None = None
        """Called at every refusal: what was too many, and whose."""

    def record_refusal(self, limit: Limit, account_id: str | None = None) -> None:
        """Note that a message or a connection was refused because of a limit."""
        if self.observe is not None:
            self.observe(limit, account_id)

    async def wait_for_turn(
        self, account_id: str, queue: MessageQueue, tokens: int = MESSAGE_TOKENS
    ) -> None:
        """Return when the present message of `queue` may be handled.

        Raises:
            TooManyRequests: it would wait too long, or the connection has ended meanwhile.
        """
        patience_s = queue.patience_s(self._delay_s)
        try:
            wait_s = self.messages.take(account_id, tokens, max_wait_s=patience_s)
        except TooManyRequests:
            self.record_refusal("messages", account_id)
            raise
        if wait_s > 0 and not await queue.delay(wait_s):
            raise TooManyRequests("The connection has ended.")

    def count_connect(self, account_id: str) -> None:
        """Count a connect that cannot wait.

        Raises:
            TooManyRequests: the account has no message left for it.
        """
        self.messages.take(account_id, CONNECT_TOKENS)

    def here(self) -> dict[str, int]:
        """Return how many connections each account has in this process."""
        return {each: len(connections) for each, connections in self._connections.items()}

    def here_of(self, account_id: str) -> int:
        """Return how many connections an account has in this process."""
        return len(self._connections.get(account_id, ()))

    def add_connection(self, account_id: str, connection: object) -> None:
        """Count `connection`; one that was added before is counted once, and removed as often.

        Raises:
            TooManyRequests: code `too_many_connections`.
        """
        if connection not in self._connections.get(account_id, ()):
            self.check_connections(account_id)
            self.changed(account_id)
        self._connections.setdefault(account_id, Counter())[connection] += 1

    def check_connections(self, account_id: str) -> None:
        """Check that the account may have one more connection.

        Raises:
            TooManyRequests: code `too_many_connections`.
        """
        if self.here_of(account_id) + self.elsewhere(account_id) >= self._max_connections:
            raise TooManyRequests(
                f"This account has {self._max_connections} connections; close one of them.",
                code="too_many_connections",
            )

    def remove_connection(self, account_id: str, connection: object) -> None:
        """Take back one `add_connection`."""
        connections = self._connections[account_id]
        connections[connection] -= 1
        if not connections[connection]:
            del connections[connection]
            self.changed(account_id)
        if not connections:
            del self._connections[account_id]

    @contextmanager
    def slow(self, account_id: str) -> Iterator[None]:
        """Count one slow command for as long as it takes.

        Raises:
            TooManyRequests: code `too_many_slow_commands`; `SLOW_AT_ONCE` of them are under way.
        """
        if self._slow[account_id] >= SLOW_AT_ONCE:
            self.record_refusal("slow_commands", account_id)
            raise TooManyRequests(
                "Wait for the answers that are under way.", code="too_many_slow_commands"
            )
        self._slow[account_id] += 1
        try:
            yield
        finally:
            self._slow[account_id] -= 1
            if not self._slow[account_id]:
                del self._slow[account_id]


def record_error(guard: ConnectionGuard, code: ErrorCode) -> bool:
    """Record an error answer by its code; True when the connection has to end."""
    if code in REFUSALS:
        return guard.record_violation()
    guard.record_success()
    return False
