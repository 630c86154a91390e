"""Credentials that prove nothing, as three documents use them on one's own machine.

`channel-chat.md`: the header `User-Email`; `conversation-chat.md`: a Vietnamese phone number as
token; `diary.md`: the bare `user_id` of the path. Production mode has none of this.
"""

import re

from marshmallow import ValidationError, validate

from app.identity.authenticator import identity_of
from models.accounts import Accounts
from models.accounts.schema import EMAIL_MAX
from models.errors import Unauthorized
from models.identity import Identity

# In a query string as the document prints it, `+84912345678` arrives with a space for the plus.
_VIETNAMESE = re.compile(r"[+ ]?84([1-9][0-9]{8})|0([1-9][0-9]{8})")
_ID = re.compile(r"[1-9][0-9]{0,15}")
_ID_MAX = 2**53 - 1
"""The largest number that JSON programs keep exactly: one frame has the id as a number."""

_EMAIL = validate.Email()


class DevelopmentCredentials:
    """Takes people's word; accounts are made on first sight."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def named(self, token: str | None, email: str | None) -> Identity | None:
        """Give the account of a request's token or `User-Email`; None when the token is a real one.

        Raises:
            Unauthorized: code `email_invalid`.
            Forbidden: code `account_disabled`.
        """
        if token:
            return await self.by_token(token)
        return None if email is None else await self.by_email(email)

    async def by_token(self, token: str) -> Identity | None:
        """Give the account of a phone number, None when the token is none.

        Raises:
            Forbidden: code `account_disabled`.
        """
        phone = vietnamese_phone(token)
        if phone is None:
            return None
        return identity_of(await self._accounts.find_or_create_by_phone(phone))

    async def by_email(self, email: str) -> Identity:
        """Give the account of an e-mail address.

        Raises:
            Unauthorized: code `email_invalid`.
            Forbidden: code `account_disabled`.
        """
        email = email.strip()
        try:
            _EMAIL(email)
        except ValidationError:
            email = ""
        if not 0 < len(email) <= EMAIL_MAX:
            raise Unauthorized("User-Email is not an e-mail address.", code="email_invalid")
        return identity_of(await self._accounts.find_or_create_by_email(email))

    async def by_path(self, user_id: str) -> Identity:
        """Give the account with this id, phone, Firebase uid or public id.

        An id or a phone number that nobody has gets an account: the id exactly that one, so that
        frames say the `user_id` that the client knows.

        Raises:
            Unauthorized: code `user_unknown`.
            Forbidden: code `account_disabled`.
        """
        # A public id is one of the other three.
        account = await self._accounts.find(user_id) or await self._accounts.find_by_firebase_uid(
            user_id
        )
        phone = vietnamese_phone(user_id) or user_id
        account = account or await self._accounts.find_by_phone(phone)
        if account is None and phone != user_id:
            account = await self._accounts.find_or_create_by_phone(phone)
        elif account is None and _ID.fullmatch(user_id) and int(user_id) <= _ID_MAX:
            account = await self._accounts.find_or_create_by_id(user_id)
        if account is None:
            raise Unauthorized("There is no such user.", code="user_unknown")
        return identity_of(account)


def vietnamese_phone(text: str) -> str | None:
    """Read a Vietnamese mobile number, in E.164 or as dialled there; gives it in E.164."""
    found = _VIETNAMESE.fullmatch(text)
    return f"+84{found[1] or found[2]}" if found else None
