"""Hands mails to the operator's mail service: one HTTP POST of JSON for each."""

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus

import aiohttp

from models.accounts.recovery import Mail, Prepare

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""For one try, connecting included."""

RETRIES_S = (1.0, 5.0, 30.0)
"""Pauses before further tries: a service that restarts is back by then."""

WAITING_MAX = 500
"""Mails waiting; more are not taken, and those who ask are answered to come back."""

AT_ONCE_MAX = 8
DRAIN_S = 0.5
"""How long a stopping server lets mails come to their end; those that wait for another try are
lost, and asked for again by their owners."""


class MailHook:
    """Implements `models.accounts.recovery.Mailer`; `close` it at the end.

    `token` is sent as `Authorization: Bearer`. The `Idempotency-Key` of all tries of one mail is
    its `id`. Addresses, links and tokens are never logged.
    """

    def __init__(
        self, url: str, token: str | None = None, *, retries_s: Sequence[float] = RETRIES_S
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._retries_s = retries_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._http: aiohttp.ClientSession | None = None

    def queue(self, prepare: Prepare) -> bool:
        """Take a mail to be prepared and sent; never waits. False when too many wait already."""
        if len(self._tasks) >= WAITING_MAX:
            return False
        task = asyncio.create_task(self._run(prepare))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def close(self) -> None:
        """Let what is under way come to its end for a moment, then close the connections."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def _run(self, prepare: Prepare) -> None:
        try:
            async with self._slots:
                mail = await prepare()
            if mail is not None:
                await self._send(mail)
        except Exception as error:
            # Without the traceback, whose values may hold an address.
            logger.error("a mail could not be prepared: %s", type(error).__name__)

    async def _send(self, mail: Mail) -> None:
        for pause_s in (*self._retries_s, None):
            async with self._slots:
                outcome = await self._post(mail)
            if outcome is None:
                return
            if outcome == "refused" or pause_s is None:
                break
            await asyncio.sleep(pause_s)
        logger.error("mail %s (%s) was not sent", mail.id, mail.kind)

    async def _post(self, mail: Mail) -> str | None:
        """Try once: None when it is sent, else whether it was `refused` or may work `later`."""
        headers = self._headers | {"Idempotency-Key": mail.id}
        try:
            async with self._session().post(
                self._url, json=mail.data(), headers=headers, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Its text may hold the URL, which may hold a key.
            logger.warning("the mail service cannot be reached: %s", type(error).__name__)
            return "later"
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return None
        logger.warning("the mail service answered %d", status)
        again = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in (
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.REQUEST_TIMEOUT,
        )
        return "later" if again else "refused"

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._http
