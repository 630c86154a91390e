"""Once: what a client sends again under a key of its own is the same thing, also across a crash.

One rule for all that creates, everywhere: the same account, operation and key is one thing. The
key is a `client_id` in what is sent, or an `Idempotency-Key` beside a POST. Both give the operation
an id that is the same for every repeat. The domain makes the thing under that id, so that a repeat
finds it wherever an earlier attempt has ended. Other content under a key is `key_reused`.

`idempotency_keys`: `_id` "<account>:<key>" or "<account>:<operation> <client_id>" (neither part
before the space has one), `path` (of the request, or the operation), `fingerprint` of what was
sent, `operation_id`, `expires_at`. Of an `Idempotency-Key` besides: `run` (which attempt holds it),
`process_id` of the process that does, None when none does, and `answer` (as `Answer`)
once there is one. Of a `client_id`: `done`, whether the thing was made;
its `fingerprint` is None when what was sent was refused.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from pymongo.errors import DuplicateKeyError

from models.collections import retention_of
from models.database import Database, Document
from models.errors import Conflict, DomainError, Invalid, Unavailable
from models.processes import Processes
from models.retention import expire, prepare_expiry
from models.times import Clock, now

KEPT = timedelta(hours=24)
"""For answers: longer than any client tries a request again by itself."""

CLAIMS_KEPT = timedelta(days=30)
"""For client_ids: longer than a phone stays offline with something to send."""

AGAIN_S = 1.0
"""After which a client may ask again for what is under way: most requests take less."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was given."""

    status: int
    body: str
    content_type: str
    location: str | None = None
    """Where what was made is."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Leave to carry a request out."""

    key: str
    run: str
    operation_id: str
    """The same for all attempts of one request."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What creates one thing, however often it is sent."""

    id: str
    """32 hexadecimal digits, the same for every repeat."""

    is_done: bool = False
    """Whether the thing was made before; it may have been deleted since."""

    claim: str | None = None


def key_reused() -> Invalid:
    """Return the one error for other content under a key."""
    return Invalid("This key was used for something else.", code="key_reused")


def digest_of(content: object) -> str:
    """Return what distinguishes two contents: SHA-256 of the values as JSON, in any order."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Idempotency:
    """Keeps answers by account and key, and which operation a client_id stands for."""

    def __init__(
        self, database: Database, *, processes: Processes | None = None, clock: Clock = now
    ) -> None:
        """`processes` are those that take `Idempotency-Key`s; claims need none."""
        self._keys = database["idempotency_keys"]
        self._processes = processes or Processes(database, uuid4().hex)
        self._clock = clock
        self._running: set[str] = set()

    async def prepare(self) -> None:
        """Make the index by which old keys are forgotten."""
        await prepare_expiry(self._keys, retention_of("idempotency_keys"))

    async def sweep(self) -> None:
        """Forget keys whose time is over."""
        await expire(self._keys, retention_of("idempotency_keys"), self._clock())

    async def forget(self, account_id: str, below: str) -> None:
        """Forget the requests of an account to paths that start with `below`, and their answers."""
        # The digits of an account's id end with the colon, which the semicolon follows in ASCII.
        of_account = {"_id": {"$gte": f"{account_id}:", "$lt": f"{account_id};"}}
        async for kept in self._keys.find(of_account, only=["path"]):
            if kept.get("path", "").startswith(below):
                await self._keys.delete_one({"_id": kept["_id"]})

    @asynccontextmanager
    async def once(
        self,
        account_id: str,
        name: str,
        *,
        client_id: str | None,
        operation_id: str | None = None,
        content: Mapping[str, Any],
    ) -> AsyncIterator[Operation]:
        """Carry out an operation of a client, which makes its thing under the operation's id.

        `name` is the path below which REST clients create such things; where they are created in
        something else, it names that too. `operation_id` is that of an `Idempotency-Key`, as
        `Attempt` has it; `content` is what was sent. An operation that is refused leaves its key
        to the corrected one.

        Raises:
            Invalid: code `key_reused`.
        """
        operation = await self._operation(account_id, name, client_id, operation_id, content)
        try:
            yield operation
        except Unavailable:
            raise  # the thing may be there
        except DomainError:
            await self._settle(operation, {"fingerprint": None})
            raise
        await self._settle(operation, {"done": True})

    async def _operation(
        self,
        account_id: str,
        name: str,
        client_id: str | None,
        operation_id: str | None,
        content: Mapping[str, Any],
    ) -> Operation:
        operation_id = operation_id or uuid4().hex
        if client_id is None:
            return Operation(operation_id)
        claim, digest = f"{account_id}:{name} {client_id}", digest_of(content)
        at = self._clock()
        while True:
            fresh = {
                "path": name,
                "fingerprint": digest,
                "operation_id": operation_id,
                "done": False,
                "expires_at": at + CLAIMS_KEPT,
            }
            try:
                await self._keys.insert_one({"_id": claim, **fresh})
                return Operation(operation_id, claim=claim)
            except DuplicateKeyError:
                kept = await self._keys.find_one({"_id": claim})
            if kept is None:
                continue  # its time has just ended
            if kept["expires_at"] <= at:
                await self._keys.delete_many({"_id": claim, "operation_id": kept["operation_id"]})
            elif kept["fingerprint"] is None:
                # It was refused: the key is for what is sent under it next.
                await self._keys.update_one(
                    {"_id": claim, "fingerprint": None}, {"$set": {"fingerprint": digest}}
                )
            elif kept["fingerprint"] != digest:
                raise key_reused()
            else:
                return Operation(kept["operation_id"], is_done=kept["done"], claim=claim)

    async def _settle(self, operation: Operation, values: Document) -> None:
        if operation.claim is not None and not operation.is_done:
            claim = {"_id": operation.claim, "operation_id": operation.id, "done": False}
            await self._keys.update_one(claim, {"$set": values})

    async def begin(
        self, account_id: str, key: str, fingerprint: str, path: str = ""
    ) -> Attempt | Answer:
        """Take an `Idempotency-Key` for a request, or return the answer that it has had.

        Raises:
            Invalid: code `key_reused` for another request under the key.
            Conflict: code `idempotency_in_flight` while the first one is under way.
        """
        at = self._clock()
        attempt = Attempt(f"{account_id}:{key}", uuid4().hex, uuid4().hex)
        fresh = {
            "path": path,
            "fingerprint": fingerprint,
            "operation_id": attempt.operation_id,
            "run": attempt.run,
            "process_id": self._processes.id,
            "answer": None,
            "expires_at": at + KEPT,
        }
        # Before it is written: what is written counts as under way for all who look.
        self._running.add(attempt.run)
        begun: Attempt | None = None
        try:
            while begun is None:
                try:
                    await self._keys.insert_one({"_id": attempt.key, **fresh})
                    begun = attempt
                    break
                except DuplicateKeyError:
                    kept = await self._keys.find_one({"_id": attempt.key})
                if kept is None:
                    continue  # its time has just ended
                if kept["expires_at"] <= at:
                    await self._keys.delete_many({"_id": attempt.key, "run": kept["run"]})
                    continue
                if kept["fingerprint"] != fingerprint:
                    raise key_reused()
                if kept["answer"] is not None:
                    return Answer(**kept["answer"])
                if await self._is_under_way(kept):
                    raise Conflict(
                        "The first request with this Idempotency-Key is under way.",
                        code="idempotency_in_flight",
                        retry_after_s=AGAIN_S,
                    )
                begun = await self._take_over(kept, attempt)
            return begun
        finally:
            if begun is None:
                self._running.discard(attempt.run)

    async def keep(self, attempt: Attempt, answer: Answer) -> None:
        """Keep the answer for all who ask again."""
        kept = {
            "status": answer.status,
            "body": answer.body,
            "content_type": answer.content_type,
            "location": answer.location,
        }
        await self._end(attempt, {"answer": kept, "process_id": None})

    async def release(self, attempt: Attempt) -> None:
        """End an attempt without an answer worth keeping: the next one may start at once."""
        await self._end(attempt, {"process_id": None})

    async def drop(self, attempt: Attempt) -> None:
        """Forget the key of an attempt that changed nothing: another request may take it."""
        self._running.discard(attempt.run)
        await self._keys.delete_many({"_id": attempt.key, "run": attempt.run})

    async def _end(self, attempt: Attempt, values: Document) -> None:
        try:
            await self._keys.find_one_and_update(
                {"_id": attempt.key, "run": attempt.run}, {"$set": values}
            )
        finally:
            self._running.discard(attempt.run)

    async def _is_under_way(self, kept: Document) -> bool:
        process_id = kept.get("process_id")
        if process_id == self._processes.id:
            return kept["run"] in self._running
        return process_id is not None and await self._processes.is_alive(process_id)

    async def _take_over(self, kept: Document, attempt: Attempt) -> Attempt | None:
        """Take the key of an attempt that has ended without an answer, if no one else does."""
        taken = await self._keys.find_one_and_update(
            {"_id": attempt.key, "run": kept["run"], "answer": None},
            {"$set": {"run": attempt.run, "process_id": self._processes.id}},
        )
        return Attempt(attempt.key, attempt.run, kept["operation_id"]) if taken else None
