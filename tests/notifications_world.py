"""What tests of notifications share: contents, a model on a store, a push that remembers."""

from collections.abc import Callable

from models.database import Database
from models.notifications.operations import Notifications
from models.notifications.subscriptions import Subscriptions
from models.times import Clock
from tests.stories_world import person

BUYER = person("1")
SELLER = person("2")
NOBODY = "99"

MATCHED = {
    "type": "match_created",
    "title": "Your bid has been matched!",
    "message": "Your bid for Nike Air Jordan 1 (US 9) has been matched at $220",
    "link": "/orders/1",
}
"""The notification that `docs/older-apis/market-notifications.md` prints."""

SHIPPED = {
    "type": "order_shipped",
    "title": "Your order is on its way",
    "message": "Nike Air Jordan 1 (US 9) was shipped with UPS, 1Z999",
    "link": "/orders/1",
}
ENDPOINT = "https://push.example.com/send/1"
KEYS = {
    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"
    "aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
}
"""Key and secret of a device: the example of RFC 8291, 5."""


class RecordingPush:
    """Keeps what it was given to send."""

    def __init__(self, *, room: int = 1_000) -> None:
        self.public_key = "a key"
        self.sent: list[tuple[str, bytes]] = []
        self._room = room

    def queue(self, account_id: str, message: bytes, **_: object) -> bool:
        if len(self.sent) >= self._room:
            return False
        self.sent.append((account_id, message))
        return True


async def known(account_id: str) -> object | None:
    """Every account is there but one."""
    return None if account_id == NOBODY else account_id


def build(
    database: Database, publisher: object, clock: Clock, push: object = None
) -> Notifications:
    """Build notifications on a database, as a process does."""
    subscriptions = Subscriptions(database, clock, public_only=True)
    return Notifications(
        database,
        publisher,
        find_account=known,
        subscriptions=subscriptions,
        push=push,
        clock=clock,
    )


async def everything(notifications: Notifications, who=BUYER, **query) -> list[dict]:
    """Return all items of all pages."""
    items, cursor = [], "after" if "after" in query else "before"
    while True:
        page = await notifications.inbox.page(who, **query)
        items += page["items"]
        if page["next"] is None:
            return items
        query[cursor] = int(page["next"].partition(".")[2])


class Cut(Exception):
    """The process died here."""


class CutDatabase:
    """A database whose process dies before its n-th write, counted over all collections."""

    WRITES = ("insert_one", "update_one", "find_one_and_update", "delete_one")

    def __init__(self, database: Database, writes: int) -> None:
        self._database = database
        self.left = writes

    def __getitem__(self, name: str) -> "CutCollection":
        return CutCollection(self._database[name], self._spend)

    def _spend(self) -> None:
        if self.left == 0:
            raise Cut
        self.left -= 1


class CutCollection:
    def __init__(self, collection: object, spend: Callable[[], None]) -> None:
        self._collection = collection
        self._spend = spend

    def __getattr__(self, name: str) -> object:
        if name in CutDatabase.WRITES:
            self._spend()
        return getattr(self._collection, name)
