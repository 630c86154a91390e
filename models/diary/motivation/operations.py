"""The rules of motivation: who asks how often, what is answered, what is kept."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

from pymongo.errors import DuplicateKeyError

from models.accounts.schema import Account, existing
from models.collections import retention_of
from models.database import Database, Document
from models.diary.motivation.catalogue import load_catalogues
from models.diary.motivation.catalogue_schema import CRISIS, GENTLE
from models.diary.motivation.composing import Request, Written, complete, compose, text_id
from models.diary.motivation.events import MotivationGenerated
from models.diary.motivation.port import Generator, GeneratorFailed, ProgressOf, Prompt
from models.diary.motivation.recent import NEVER, Memories
from models.diary.motivation.schema import DEFAULT_STRESS
from models.diary.motivation.views import MotivationView
from models.diary.motivation.words import on_one_line
from models.errors import NotFound
from models.events import Json, Publisher, as_json
from models.idempotency import Idempotency
from models.identity import Identity
from models.limits import RateLimit
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.retention import expire
from models.rooms import user_room
from models.times import Clock, now, to_text
from models.whole import documents

logger = logging.getLogger(__name__)

FindAccount = Callable[[str], Awaitable[Account | None]]

MOTIVATIONS = "/api/v1/diary/motivations"
"""The operation of requesting one, as keys of clients are kept."""

CATALOGUE, LLM = "catalogue", "llm"


class Motivation:
    """Motivations of all accounts, each seen by the one who asked only.

    `diary_motivations`: `_id` (UUID4), `account_id`, `text`, `pieces`, `challenge` (as sent),
    `stress_level`, `language`, `source`, `created_at`.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        find_account: FindAccount,
        progress_of: ProgressOf,
        generator: Generator | None,
        per_minute: int,
        clock: Clock = now,
    ) -> None:
        self._motivations = database["diary_motivations"]
        self._memories = Memories(database, clock)
        self._publisher = publisher
        self._find_account = find_account
        self._progress_of = progress_of
        self._generator = generator
        self._answers = Idempotency(database, clock=clock)
        self.limit = RateLimit(per_minute, 60)
        self._catalogues = load_catalogues()
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes that the queries here rely on."""
        await self._motivations.create_index([("account_id", 1), ("created_at", 1), ("_id", 1)])
        await self._motivations.create_index([("created_at", 1)])
        await self._memories.prepare()

    async def request(
        self,
        identity: Identity,
        *,
        current_challenge: str = "",
        stress_level: int = DEFAULT_STRESS,
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> MotivationView:
        """Write a motivation, store it and send it to the caller's devices; returns it.

        Values as `RequestMotivation` loads them. Returns `id`, `user_id`, `motivation_text`,
        `current_challenge` and `stress_level` as they came, `source` ("catalogue" or "llm") and
        `created_at`. Takes as long as the generator does, and falls back to the catalogue.

        Raises:
            TooManyRequests: more than so many a minute.
            NotFound: code `account_not_found`; `motivation_not_found`: that of this `client_id` is
                not kept any more.
            Invalid: code `key_reused`.
        """
        async with self._answers.once(
            identity.account_id,
            MOTIVATIONS,
            client_id=client_id,
            operation_id=operation_id,
            content={"current_challenge": current_challenge, "stress_level": stress_level},
        ) as operation:
            motivation_id = str(UUID(operation.id))
            if client_id is not None or operation_id is not None:
                made = await self._motivations.find_one({"_id": motivation_id})
                if made is not None:
                    return _shown(made)
                if operation.is_done:
                    raise NotFound("It is not kept any more.", code="motivation_not_found")
            return await self._request(
                identity.account_id, motivation_id, current_challenge, stress_level
            )

    async def _request(
        self, account_id: str, motivation_id: str, current_challenge: str, stress_level: int
    ) -> MotivationView:
        self.limit.check(account_id)
        account = existing(await self._find_account(account_id))
        challenge = on_one_line(current_challenge)
        catalogue = self._catalogues.of(account.language)
        request = Request(
            catalogue=catalogue,
            kind=self._catalogues.recognise(challenge, catalogue.language),
            challenge=challenge,
            stress_level=stress_level,
            progress=await self._progress_of(account_id),
        )
        written, source = await self._write(account_id, request, await self._generated(request))
        motivation: Document = {
            "_id": motivation_id,
            "account_id": account_id,
            "text": written.text,
            "pieces": list(written.pieces),
            "challenge": current_challenge,
            "stress_level": stress_level,
            "language": catalogue.language,
            "source": source,
            "created_at": self._clock(),
        }
        try:
            await self._motivations.insert_one(motivation)
        except DuplicateKeyError:  # a repeat was faster
            made = await self._motivations.find_one({"_id": motivation_id})
            return _shown(made or motivation)
        view = _view(motivation)
        await self._publisher.publish(MotivationGenerated(**view), user_room(account_id))
        return view

    async def list(
        self, identity: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[MotivationView]:
        """Return a page of the caller's motivations, newest first, each as `request` gives it."""
        query: Document = {"account_id": identity.account_id}
        if after:
            query["$or"] = after.following("created_at")
        page = self._motivations.find(query).sort(newest_first("created_at")).limit(limit + 1)
        shown, following = cut(await page.to_list(limit + 1), limit, "created_at")
        return {"items": [_shown(found) for found in shown], "next": following}

    async def export(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        """Yield all that is kept of an account's motivations, newest first."""
        async for one in documents(
            self._motivations,
            {"account_id": account_id},
            newest_first("created_at"),
            lambda one: one["account_id"] == account_id,
        ):
            yield as_json(_shown(one))

    async def delete_all(self, account_id: str) -> None:
        """Remove an account's motivations, and what it has seen."""
        await self._motivations.delete_many({"account_id": account_id})
        await self._memories.forget(account_id)

    async def forget_old(self) -> None:
        """Remove old motivations, and what those have seen who have not asked since."""
        await expire(self._motivations, retention_of("diary_motivations"), self._clock())
        await self._memories.forget_old(self._clock())

    async def _generated(self, request: Request) -> str | None:
        """Ask the generator; None when there is none, or it has nothing to say."""
        # In danger of life every word counts: those words are ours, and they name where help is.
        if self._generator is None or request.kind == CRISIS:
            return None
        prompt = Prompt(request.challenge, request.stress_level, request.catalogue.language)
        try:
            return await self._generator(prompt)
        except GeneratorFailed:
            return None  # the generator has logged why
        except Exception as error:
            # Its message could hold the prompt.
            logger.error("a generator broke: %s", type(error).__name__)
            return None

    async def _write(
        self, account_id: str, request: Request, generated: str | None
    ) -> tuple[Written, str]:
        """Write what the account has not seen lately and note it; returns it and its source."""
        gentle = request.catalogue.tone(request.kind, request.stress_level) == GENTLE
        while True:
            recent = await self._memories.of(account_id)
            if generated is not None and recent.seen(text_id(generated)) == NEVER:
                written, source = complete(request, generated, recent, gentle=gentle), LLM
            else:
                written, source = compose(request, recent), CATALOGUE
            if await self._memories.add(recent, written.pieces):
                return written, source


def _view(motivation: Document) -> MotivationView:
    return {
        "id": motivation["_id"],
        "user_id": motivation["account_id"],
        "motivation_text": motivation["text"],
        "current_challenge": motivation["challenge"],
        "stress_level": motivation["stress_level"],
        "source": motivation["source"],
        "created_at": to_text(motivation["created_at"]),
    }


def _shown(motivation: Document) -> MotivationView:
    return _view(motivation)
