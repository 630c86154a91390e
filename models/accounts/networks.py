"""The networks from which an account's owner has signed in, as keyed hashes.

They are the field `known_networks` of `accounts`, the latest last. The key is the server's, so that
no one who reads the database can try out addresses.
"""

import hashlib
import hmac

from models.accounts.stored import StoredAccount
from models.database import Database, typed
from models.server_keys import ServerKeys
from models.times import Clock

NETWORKS_MAX = 20
"""Of one account: home, work and a telephone's changing ones; the oldest is forgotten first."""


class KnownNetworks:
    """Remembers where each account has signed in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._accounts = typed(database["accounts"], StoredAccount)
        self._server_keys = ServerKeys(database, clock)

    async def knows(self, account_id: str, network: str) -> bool:
        """Return whether the account's owner has signed in from `network`."""
        digest = await self._digest(account_id, network)
        found = await self._accounts.find_one({"_id": account_id})
        return found is not None and digest in found.get("known_networks", ())

    async def remember(self, account_id: str, network: str) -> None:
        """Note a successful sign-in."""
        digest = await self._digest(account_id, network)
        added = await self._accounts.find_one_and_update(
            {"_id": account_id, "known_networks": {"$ne": digest}},
            {"$push": {"known_networks": digest}},
            return_document=True,
        )
        for oldest in added["known_networks"][:-NETWORKS_MAX] if added else ():
            await self._accounts.update_one(
                {"_id": account_id}, {"$pull": {"known_networks": oldest}}
            )

    async def _digest(self, account_id: str, network: str) -> str:
        key = await self._server_keys.key("known_networks")
        return hmac.new(key, f"{account_id}\n{network}".encode(), hashlib.sha256).hexdigest()
