"""How a person is named: the kinds of names, and the order where an older API has one string.

A name is looked up as the kind that its sender declared. No account can choose a name that reads as
another kind: account ids are numbers that the server makes, a Firebase uid that could be read as an
e-mail, a phone number or an id is no public id, and a chosen name finds no one.
"""

import re
from enum import Enum

from marshmallow import ValidationError

from models.fields import is_text

ID_MAX = 2**53 - 1
"""The largest number that JSON programs keep exactly: one frame has the id as a number."""

UID_MAX = 128
"""Characters of a Firebase uid, the documentation's bound."""

PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
"""E.164."""

_ID = re.compile(r"[1-9][0-9]{0,15}")


class Kind(Enum):
    """What a name is."""

    ID = "id"
    PUBLIC_ID = "public_id"
    """The id by which strangers know an account: its Firebase uid where that is clearly one, the
    phone number of an account that came through one in development, else the account id."""

    EMAIL = "email"
    PHONE = "phone"
    FIREBASE_UID = "firebase_uid"


PATH_ORDER = (Kind.ID, Kind.PHONE, Kind.FIREBASE_UID)
"""What the `user_id` of `/ws/{user_id}` and `/api/v1/ws/{user_id}` is looked up as: the first kind
under which there is an account. A public id is always one of the three."""

PARTICIPANT_ORDER = (Kind.EMAIL, Kind.ID, Kind.PUBLIC_ID)
"""What one of the `participants` of a conversation is looked up as."""


def is_account_id(text: str) -> bool:
    """Whether the text could be an account's id."""
    return _ID.fullmatch(text) is not None and int(text) <= ID_MAX


def may_be(kind: Kind, text: str) -> bool:
    """Whether the text has the form of a name of this kind; others are not looked up."""
    match kind:
        case Kind.ID:
            return is_account_id(text)
        case Kind.PHONE:
            return PHONE.fullmatch(text) is not None
        case Kind.EMAIL:
            return "@" in text and _is_text(text)
        case Kind.FIREBASE_UID:
            return is_uid(text)
        case Kind.PUBLIC_ID:
            return is_account_id(text) or bool(PHONE.fullmatch(text)) or is_clearly_uid(text)


def is_uid(text: str) -> bool:
    """Whether a database can hold the text as a Firebase uid, and a log can show it."""
    return 1 <= len(text) <= UID_MAX and text.isprintable() and _is_text(text)


def is_clearly_uid(text: str) -> bool:
    """Whether the text can be read as a Firebase uid and as nothing else.

    ASCII only: other scripts have digits and signs of their own that look like ours.
    """
    return (
        is_uid(text)
        and text.isascii()
        and any(character.isalpha() for character in text)
        and "@" not in text
        and not text.startswith("+")
        and " " not in text
    )


def _is_text(text: str) -> bool:
    try:
        is_text(text)
    except ValidationError:
        return False
    return True
