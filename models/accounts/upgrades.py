"""Bring accounts of earlier releases to today's shape: steps of `models.migrations`."""

import logging

from pymongo.errors import DuplicateKeyError

from models.accounts import keys
from models.accounts.naming import is_clearly_uid
from models.database import Database, Document

logger = logging.getLogger(__name__)


async def declare_names(database: Database) -> None:
    """Record what is verified, give each e-mail the keys of today, and take public ids back that
    could be read as something else.

    Verified are the e-mail and the phone number of an account that a Firebase user began, which is
    known by the uid: no others were stored then. An account that was linked to one later counts as
    unverified until the next Firebase token, since its e-mail was compared too loosely.
    """
    async for account in database["accounts"].find({}):
        account_id, uid = account["_id"], account["firebase_uid"]
        changes: Document = {}
        if uid is not None and account["public_id"] == uid:
            for field in ("email", "phone"):
                if account[field] is not None and account.get(f"{field}_verified_at") is None:
                    changes[f"{field}_verified_at"] = account["created_at"]
            if not is_clearly_uid(uid):
                changes["public_id"] = account_id
        if changes:
            await database["accounts"].update_one({"_id": account_id}, {"$set": changes})
        for key in keys.of_value("email", account["email"]):
            await _hold(database, key, account)


async def _hold(database: Database, key: str, account: Document) -> None:
    account_id = account["_id"]
    try:
        await database["account_keys"].insert_one(
            {
                "_id": key,
                "account_id": account_id,
                "claimed_at": account["created_at"],
                "confirmed": True,
            }
        )
    except DuplicateKeyError:
        held = await database["account_keys"].find_one({"_id": key})
        if held is not None and held["account_id"] != account_id:
            # Two accounts had one address in two spellings of its domain: the first one keeps it.
            logger.warning(
                "the e-mail of account %s is account %s's", account_id, held["account_id"]
            )
