"""Credentials that prove nothing, as the chat documents use them on one's own machine.

`channel-chat.md`: the header `User-Email`; `conversation-chat.md`: a Vietnamese phone number as
token. Production mode has none of this.
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


def vietnamese_phone(text: str) -> str | None:
    """Read a Vietnamese mobile number, in E.164 or as dialled there; gives it in E.164."""
    found = _VIETNAMESE.fullmatch(text)
    return f"+84{found[1] or found[2]}" if found else None
