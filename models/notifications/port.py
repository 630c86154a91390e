"""How other domains notify a user: the port that `Notifications` fills."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """What an account is notified of, and its cause; as the arguments of `Notify`."""

    type: str
    key: str
    title: str
    message: str
    link: str


class Notify(Protocol):
    """Notifies one account of one cause, once."""

    async def __call__(
        self, account_id: str, type: str, *, key: str, title: str, message: str, link: str
    ) -> None:
        """Store a notification in the account's inbox and send it to its devices.

        `type` is one of `models.notifications.schema.TYPES`. `key` names the cause and never
        changes, `"order:17:paid"`: calling again with the same account, type and key, after a
        crash or from another process, stores and publishes nothing more. `link` is a path of the
        web client, `"/orders/1"`, or empty.

        Raises:
            Unavailable: the database is away; call again with the same key.
        """

    async def several(self, account_id: str, notices: Sequence[Notice]) -> None:
        """Notify an account of several causes at once, in this order; each as a call would."""
