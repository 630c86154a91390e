"""Requests that may be sent again: the first answer is kept under the client's key.

`idempotency_keys`: `_id` "<account>:<key>", `path` and `fingerprint` of the request,
`operation_id`, `run` (which attempt holds the key), `lease_until` while one is under way,
`answer` (`status`, `body`, `content_type`) once there is one, `expires_at`.

An attempt that dies leaves its lease, and after that the next one takes over under the same
`operation_id`, by which the domain knows what the first one has done already.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document
from models.errors import Conflict
from models.times import Clock, now

KEPT = timedelta(hours=24)
"""Longer than any client tries again."""

LEASE = timedelta(seconds=30)
"""Longer than any request takes: the platform's router gives up after as much."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was given."""

    status: int
    body: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """Leave to carry a request out."""

    key: str
    run: str
    operation_id: str
    """The same for all attempts of one request."""


class Idempotency:
    """Keeps answers by account and key."""

    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self._keys = database["idempotency_keys"]
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index by which old keys are forgotten."""
        await self._keys.create_index([("expires_at", 1)])

    async def sweep(self) -> None:
        """Forget keys whose time is over."""
        await self._keys.delete_many({"expires_at": {"$lte": self._clock()}})

    async def forget(self, account_id: str, below: str) -> None:
        """Forget the requests of an account to paths that start with `below`, and their answers."""
        # The digits of an account's id end with the colon, which the semicolon follows in ASCII.
        of_account = {"_id": {"$gte": f"{account_id}:", "$lt": f"{account_id};"}}
        async for kept in self._keys.find(of_account, only=["path"]):
            if kept.get("path", "").startswith(below):
                await self._keys.delete_one({"_id": kept["_id"]})

    async def begin(
        self, account_id: str, key: str, fingerprint: str, path: str = ""
    ) -> Attempt | Answer:
        """Take the key for a request, or give the answer that it has had.

        Raises:
            Conflict: code `idempotency_key_reused` for another request under the key,
                `idempotency_in_flight` while the first one is under way.
        """
        at = self._clock()
        attempt = Attempt(f"{account_id}:{key}", uuid4().hex, uuid4().hex)
        fresh = {
            "path": path,
            "fingerprint": fingerprint,
            "operation_id": attempt.operation_id,
            "run": attempt.run,
            "lease_until": at + LEASE,
            "answer": None,
            "expires_at": at + KEPT,
        }
        while True:
            try:
                await self._keys.insert_one({"_id": attempt.key, **fresh})
                return attempt
            except DuplicateKeyError:
                kept = await self._keys.find_one({"_id": attempt.key})
            if kept is None:
                continue  # its time has just ended
            if kept["expires_at"] <= at:
                await self._keys.delete_many({"_id": attempt.key, "run": kept["run"]})
                continue
            if kept["fingerprint"] != fingerprint:
                raise Conflict(
                    "This Idempotency-Key was used for another request.",
                    code="idempotency_key_reused",
                )
            if kept["answer"] is not None:
                return Answer(**kept["answer"])
            if kept["lease_until"] > at:
                raise Conflict(
                    "The first request with this Idempotency-Key is under way.",
                    code="idempotency_in_flight",
                    retry_after_s=(kept["lease_until"] - at).total_seconds(),
                )
            taken_over = await self._take_over(kept, attempt)
            if taken_over is not None:
                return taken_over

    async def keep(self, attempt: Attempt, answer: Answer) -> None:
        """Keep the answer for all who ask again."""
        kept = {
            "status": answer.status,
            "body": answer.body,
            "content_type": answer.content_type,
        }
        await self._keys.find_one_and_update(
            {"_id": attempt.key, "run": attempt.run}, {"$set": {"answer": kept}}
        )

    async def release(self, attempt: Attempt) -> None:
        """End an attempt without an answer worth keeping: the next one may start at once."""
        await self._keys.find_one_and_update(
            {"_id": attempt.key, "run": attempt.run}, {"$set": {"lease_until": self._clock()}}
        )

    async def _take_over(self, kept: Document, attempt: Attempt) -> Attempt | None:
        """Take the key of an attempt that has ended without an answer, if nobody else does."""
        taken = await self._keys.find_one_and_update(
            {"_id": attempt.key, "run": kept["run"], "answer": None},
            {"$set": {"run": attempt.run, "lease_until": self._clock() + LEASE}},
        )
        return Attempt(attempt.key, attempt.run, kept["operation_id"]) if taken else None
