"""What accounts themselves keep: names, addresses, sessions, credentials."""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable

from models.accounts import keys
from models.accounts.keys import AccountKeys
from models.accounts.people import People
from models.accounts.pictures import Pictures
from models.accounts.schema import Account
from models.accounts.sessions import Sessions
from models.accounts.stored import StoredAccount, StoredLink
from models.database import Database, typed
from models.errors import NotFound
from models.events import Json, as_json
from models.exports import Streamed
from models.idempotency import Idempotency
from models.times import to_text

_PERSONAL = (
    *("email", "email_verified_at", "phone", "phone_verified_at"),
    *("name", "firebase_uid", "password_hash"),
)


class OwnAccountData:
    """Fills the port `lifecycle.AccountData`."""

    def __init__(
        self,
        database: Database,
        account_keys: AccountKeys,
        sessions: Sessions,
        end_credentials: Callable[[str], Awaitable[object]],
        people: People,
        pictures: Pictures,
    ) -> None:
        self._people = people
        self._pictures = pictures
        self._accounts = typed(database["accounts"], StoredAccount)
        self._keys = account_keys
        self._sessions = sessions
        self._end_credentials = end_credentials
        self._answers = Idempotency(database)
        self._links = typed(database["account_links"], StoredLink)

    async def hand_over(self, account_id: str) -> None:
        """Forget the former holder's picture, logins, links and answers; logins have ended."""
        await self._pictures.remove(account_id)
        await self._sessions.remove_all(account_id)
        await self._answers.forget(account_id, "")
        await self._links.delete_many({"account_id": account_id})

    async def bindings(self, account_id: str) -> list[str]:
        """Name nothing: an account alone binds no one."""
        return []

    async def erase(self, account_id: str, pseudonym: str) -> None:
        """Release the addresses, and leave nothing of the account but its id."""
        await self._end_credentials(account_id)
        await self.hand_over(account_id)
        account = await self._accounts.find_one({"_id": account_id})
        if account is not None:
            for key in keys.keys_of(account):
                await self._keys.release(key, account_id)
        await self._accounts.update_one(
            {"_id": account_id},
            {
                "$set": dict.fromkeys(_PERSONAL) | {"public_id": account_id},
                "$unset": {"known_networks": "", "time_zone": "", "language": ""},
            },
        )
        await self._people.changed(account_id)

    def export(self, account: Account) -> Streamed:
        """Walk through the sessions and the picture; the account is in the export by itself."""
        return {
            "sessions": self._own_sessions(account.id),
            "picture": self._own_picture(account.id),
        }

    async def _own_picture(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        try:
            picture = await self._pictures.of(account_id)
        except NotFound:
            return
        yield {
            "content_type": picture["content_type"],
            "content": b64encode(picture["content"]).decode(),
            "updated_at": to_text(picture["updated_at"]),
        }

    async def _own_sessions(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        for session in await self._sessions.of(account_id):
            yield as_json(session)
