"""Credentials that prove nothing, as three older APIs use them in development (docs/older-apis).

Chat in channels: the header `User-Email`; chat in conversations: a Vietnamese phone number as
token; the diary: the bare `user_id` of the path. Production mode has none of this.
"""

import re

from app.identity.authenticator import identity_of
from models.accounts import Accounts
from models.accounts.naming import is_account_id
from models.errors import Conflict, Forbidden, Invalid, Unauthorized
from models.identity import Identity

# In a query string as the document prints it, `+84912345678` arrives with a space for the plus.
_VIETNAMESE = re.compile(r"[+ ]?84([1-9][0-9]{8})|0([1-9][0-9]{8})")


class DevelopmentCredentials:
    """Takes people's word; accounts are made on first sight."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def named(self, token: str | None, email: str | None) -> Identity | None:
        """Return the account of a request's token or `User-Email`; None if the token is a real one.

        Raises:
            Unauthorized: code `email_invalid`.
            Forbidden: code `account_disabled`.
        """
        if token:
            return await self.by_token(token)
        return None if email is None else await self.by_email(email)

    async def by_token(self, token: str) -> Identity | None:
        """Return the account of a phone number, None when the token is none.

        Raises:
            Forbidden: code `account_disabled`.
        """
        phone = vietnamese_phone(token)
        if phone is None:
            return None
        return identity_of(await self._accounts.find_or_create_by_phone(phone))

    async def by_email(self, email: str) -> Identity:
        """Return the account of an e-mail address.

        Raises:
            Unauthorized: code `email_invalid`.
            Forbidden: code `account_disabled`, or `email_ambiguous`: it looks like the address of
                another account, which it does not open.
        """
        try:
            account = await self._accounts.find_or_create_by_email(email.strip())
        except Invalid:
            message = "User-Email is not an e-mail address."
            raise Unauthorized(message, code="email_invalid") from None
        except Conflict as error:
            raise Forbidden(error.message, code="email_ambiguous") from None
        return identity_of(account)

    async def by_path(self, user_id: str) -> Identity:
        """Return the account with this id, phone, Firebase uid or public id (`PATH_ORDER`).

        An id or a phone number that no one has gets an account: the id exactly that one, so that
        frames say the `user_id` that the client knows.

        Raises:
            Unauthorized: code `user_unknown`.
            Forbidden: code `account_disabled`.
        """
        phone = vietnamese_phone(user_id)
        # What reads as a Vietnamese number is one, also where it could be an id.
        account = await self._accounts.resolve_path(phone or user_id)
        if account is None and phone is not None:
            account = await self._accounts.find_or_create_by_phone(phone)
        elif account is None and is_account_id(user_id):
            account = await self._accounts.find_or_create_by_id(user_id)
        if account is None:
            raise Unauthorized("There is no such user.", code="user_unknown")
        return identity_of(account)


def vietnamese_phone(text: str) -> str | None:
    """Read a Vietnamese mobile number, in E.164 or as dialled there; returns it in E.164."""
    found = _VIETNAMESE.fullmatch(text)
    return f"+84{found[1] or found[2]}" if found else None
