"""Numbered, idempotent steps from one stored shape to the next: `python -m app migrate`.

`migrations`: `_id` (the step's number as text), `summary`, `applied_at`. In development a starting
server takes the steps that are missing; in production the release phase does, before the new
processes start. The processes of the release before may still run meanwhile: a step must leave
what they read, and may meet what they write once more, so it can be run again at any time.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pymongo.errors import DuplicateKeyError

from models.accounts import Account, People
from models.accounts.stored import StoredAccount
from models.accounts.upgrades import declare_names
from models.chat.members import handles_of
from models.chat.records import folded_texts
from models.database import Collection, Database, Document, typed
from models.errors import NotFound
from models.market.order_upgrades import count_paid_sales, set_deadlines
from models.market.products import search_text
from models.market.upgrades import uncross_books
from models.text import found_by
from models.times import Clock, now


@dataclass(frozen=True, slots=True)
class Migration:
    """One step."""

    number: int
    summary: str
    """What it changes, in the imperative."""

    apply: Callable[[Database], Awaitable[None]]


async def _accept_conversations(database: Database) -> None:
    """Let conversations of before there were requests count as accepted by all who are in them."""
    conversations = database["conversations"]
    async for conversation in conversations.find({"request_ids": {"$exists": False}}):
        lists = ("request_ids", "quiet_ids", "closed_ids", "silences", "asked")
        channel = conversation["kind"] == "channel"
        await conversations.update_one(
            {"_id": conversation["_id"]},
            {
                "$set": {
                    **{name: [] for name in lists},
                    "shown_ids": [] if channel else conversation["member_ids"],
                    "alias": None,
                }
            },
        )


async def _record_received_money(database: Database) -> None:
    """Record what was received and refunded of payments and orders of before that was kept."""
    orders, payments = database["market_orders"], database["market_payments"]
    async for order in orders.find({"refunded": {"$exists": False}}):
        refunded = order["price"] if order["status"] == "refunded" else 0
        await orders.update_one(
            {"_id": order["_id"], "refunded": {"$exists": False}},
            {"$set": {"refunded": refunded, "paid_out": order["status"] == "payout_completed"}},
        )
    async for payment in payments.find({"refunded": {"$exists": False}}):
        # Payments of any other amount were refused then.
        order = await orders.find_one({"_id": payment["order_id"]}) or {}
        own = order.get("payment_id") == payment["_id"]
        await payments.update_one(
            {"_id": payment["_id"], "refunded": {"$exists": False}},
            {
                "$set": {
                    "amount": order.get("price"),
                    "currency": "usd",
                    "refunded": order.get("refunded", 0) if own else 0,
                    "open": payment["surplus"],
                    "at": order.get("updated_at", now()),
                }
            },
        )


async def _count_deleted_messages(database: Database) -> None:
    """Let messages that were deleted before be counted as such."""
    messages = database["chat_messages"]
    old = {"deleted_at": {"$ne": None}, "deleted_in": {"$exists": False}}
    async for message in messages.find(old, only=("conversation_id",)):
        await messages.update_one(
            {"_id": message["_id"]}, {"$set": {"deleted_in": message["conversation_id"]}}
        )


async def _fold_texts(database: Database) -> None:
    """Write what texts are found by, in chat, market and diary, in the form of `models.text`."""

    async def find(account_ids: Sequence[str]) -> list[Account]:
        accounts = typed(database["accounts"], StoredAccount)
        return [Account.of(each) for each in await accounts.find_ids(account_ids)]

    people = People(find)
    async for member in database["chat_members"].find({}):
        handles = handles_of(await people.one(member["account_id"]))
        await _set(database["chat_members"], member, {"handles": handles})
    async for entry in database["diary_entries"].find({}):
        await _set(database["diary_entries"], entry, {"folded": found_by(entry["text"])})
    async for product in database["market_products"].find({}):
        search = search_text(product["name"], product["sku"])
        await _set(database["market_products"], product, {"search": search})


async def _date_keys(database: Database) -> None:
    """Let keys of sends and causes of notifications of before count as written now."""
    for collection in (database["chat_sends"], database["notification_causes"]):
        async for document in collection.find({"at": {"$exists": False}}, only=["at"]):
            await collection.update_one(
                {"_id": document["_id"], "at": {"$exists": False}}, {"$set": {"at": now()}}
            )


async def _fold_messages(database: Database) -> None:
    """Write what messages are found by, in the form of `models.text`."""
    messages = database["chat_messages"]
    fields = ("content", "kept_edit", "folded", "deleted_at", "revision")
    async for message in messages.find({}, only=fields):
        found: Document | None = message
        while found is not None and not await _fold_message(messages, found):
            found = await messages.find_one({"_id": message["_id"]})


async def _fold_message(messages: Collection, message: Document) -> bool:
    """Return False when the message was changed after it was read."""
    edit = message.get("kept_edit")
    folded = folded_texts(message["content"], *([edit["content"]] if edit else ()))
    if message["deleted_at"] is not None:
        folded = []
    if message.get("folded") == folded:
        return True
    as_read = {"_id": message["_id"], "revision": message["revision"]}
    written = await messages.update_one(as_read, {"$set": {"folded": folded}})
    return written.matched_count == 1


async def _set(collection: Collection, document: Document, values: Document) -> None:
    if any(document.get(field) != value for field, value in values.items()):
        await collection.update_one({"_id": document["_id"]}, {"$set": values})


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "Record which e-mails and phone numbers are verified", declare_names),
    Migration(2, "Count existing conversations as accepted", _accept_conversations),
    Migration(3, "Record the amounts received and refunded", _record_received_money),
    Migration(4, "Mark deleted messages for counting", _count_deleted_messages),
    Migration(5, "Fold the texts that members, entries and products are found by", _fold_texts),
    Migration(6, "Cancel offers that cross one of the same account", uncross_books),
    Migration(7, "Take sales that were not paid out of the price history", count_paid_sales),
    Migration(8, "Set the deadlines of orders under way", set_deadlines),
    Migration(9, "Date the keys of sent messages and of notifications", _date_keys),
    Migration(10, "Fold the texts that messages are found by", _fold_messages),
)
"""In the order of their numbers: 1, 2, 3 … without gaps. A step is never changed once released."""


class Migrations:
    """The steps that one database has taken, and those that it has not."""

    def __init__(
        self,
        database: Database,
        steps: Sequence[Migration] = MIGRATIONS,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._applied = database["migrations"]
        self._steps = steps
        self._clock = clock

    async def is_empty(self) -> bool:
        """Whether the database has no accounts yet, and so nothing of an older shape."""
        return await self._database["accounts"].find_one({}) is None

    async def pending(self) -> list[Migration]:
        """Return the steps that the database has not taken yet, in their order."""
        applied = {step["_id"] for step in await self._applied.find({}).to_list(None)}
        return [step for step in self._steps if str(step.number) not in applied]

    async def again(self, number: int) -> Migration:
        """Take a step that was taken before once more, and return it.

        Raises:
            NotFound: there is no step of this number.
        """
        for step in self._steps:
            if step.number == number:
                await step.apply(self._database)
                return step
        raise NotFound(f"There is no migration {number}.")

    async def apply(self) -> list[Migration]:
        """Take the pending steps and return them; a failing one ends the run and stays pending."""
        pending = await self.pending()
        for step in pending:
            await step.apply(self._database)
            try:
                await self._applied.insert_one(
                    {
                        "_id": str(step.number),
                        "summary": step.summary,
                        "applied_at": self._clock(),
                    }
                )
            except DuplicateKeyError:
                # Another process took the same step meanwhile; steps are idempotent.
                continue
        return pending
