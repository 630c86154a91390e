"""How other domains tell a user something: the port that `Notifications` fills."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """What an account is told, and of which cause; as the arguments of `Notify`."""

    type: str
    key: str
    title: str
    message: str
    link: str


class Notify(Protocol):
    """Tells one account of one cause, once."""

    async def __call__(
        self, account_id: str, type: str, *, key: str, title: str, message: str, link: str
    ) -> None:
        """Store a notification in the account's inbox and tell its devices.

        `type` is one of the eight of `market-notifications.md`. `key` names the cause and never
        changes, `"order:17:paid"`: calling again with the same account, type and key, after a
        crash or from another process, stores and tells nothing more. `link` is a path of the web
        client, `"/orders/1"`, or empty.

        Raises:
            Unavailable: the database is away; call again with the same key.
        """

    async def several(self, account_id: str, notices: Sequence[Notice]) -> None:
        """Tell an account of several causes at once, in this order; each as a call would."""
