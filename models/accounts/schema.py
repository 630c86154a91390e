"""What an account looks like: in memory, to its owner, and in what clients send."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from marshmallow import (
    Schema,
    ValidationError,
    fields,
    pre_load,
    validate,
    validates_schema,
)

from models.database import Document
from models.errors import NotFound
from models.events import Json
from models.fields import one_line
from models.times import to_text

PASSWORD_MIN = 8
PASSWORD_MAX = 256
"""Characters; beyond it a password costs work and adds no strength."""

EMAIL_MAX = 254
"""Characters that RFC 5321 leaves for an address in a path."""

NAME_MAX = 100
TIME_ZONE = "UTC"
LANGUAGE = "en"
"""What an account has until its owner says otherwise."""

REFRESH_TOKEN_MAX = 128


@dataclass(frozen=True, slots=True)
class Account:
    """An account as others may know it: without its password hash."""

    id: str
    email: str | None
    """As its owner typed it."""

    name: str | None
    phone: str | None
    firebase_uid: str | None
    public_id: str
    disabled: bool
    created_at: datetime

    time_zone: str = TIME_ZONE
    """IANA name of the zone whose dates are the account's."""

    language: str = LANGUAGE
    """Primary language tag (BCP 47), lower case."""

    @classmethod
    def of(cls, document: Document) -> "Account":
        """Read the stored form."""
        return cls(
            id=document["_id"],
            email=document["email"],
            name=document["name"],
            phone=document["phone"],
            firebase_uid=document["firebase_uid"],
            public_id=document["public_id"],
            disabled=document["disabled"],
            created_at=document["created_at"],
            # Documents written before there were settings lack them.
            time_zone=document.get("time_zone", TIME_ZONE),
            language=document.get("language", LANGUAGE),
        )

    def data(self) -> dict[str, Json]:
        """Give the form shown to the owner; JSON values only."""
        return {
            "id": self.id,
            "email": self.email,
            "name": self.name,
            "phone": self.phone,
            "public_id": self.public_id,
            "created_at": to_text(self.created_at),
            "time_zone": self.time_zone,
            "language": self.language,
        }


Found = TypeVar("Found")


def existing(found: Found | None) -> Found:
    """Give what was found of an account.

    Raises:
        NotFound: code `account_not_found`: nothing.
    """
    if found is None:
        raise NotFound("There is no such account.", code="account_not_found")
    return found


def email_key(email: str) -> str:
    """Fold an address so that two spellings of one are equal (Unicode NFKC_Casefold)."""
    folded = unicodedata.normalize("NFKC", email.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)


@cache
def time_zones() -> frozenset[str]:
    """Give the IANA names that an account can have, the same on every server."""
    # `zoneinfo.available_timezones` takes a tenth of a second, and adds the server's own zone.
    names = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(names) - {"Factory"}


def _is_time_zone(name: str) -> None:
    if name not in time_zones():
        raise ValidationError("Not a time zone of the IANA database: Europe/Berlin is one.")


class _Stripped(Schema):
    """Drops the spaces that people and phones leave around what they type."""

    @pre_load
    def strip(self, data: Any, **_: Any) -> Any:
        """Strip text fields, except the password: its spaces count."""
        if not isinstance(data, dict):
            return data
        return {
            key: value.strip() if isinstance(value, str) and key != "password" else value
            for key, value in data.items()
        }


def _name() -> fields.String:
    return fields.String(
        allow_none=True, load_default=None, validate=[validate.Length(1, NAME_MAX), one_line]
    )


class SignUp(_Stripped):
    """A new account with a password."""

    email = fields.Email(required=True, validate=validate.Length(max=EMAIL_MAX))
    password = fields.String(required=True, validate=validate.Length(PASSWORD_MIN, PASSWORD_MAX))
    name = _name()
    phone = fields.String(
        allow_none=True,
        load_default=None,
        validate=validate.Regexp(
            r"\A\+[1-9][0-9]{6,14}\Z", error="Write it as in E.164: +441632960961."
        ),
    )


class LogIn(_Stripped):
    """An attempt to log in; anything but bounds would tell what a right password looks like."""

    email = fields.String(required=True, validate=validate.Length(1, EMAIL_MAX))
    password = fields.String(required=True, validate=validate.Length(1, PASSWORD_MAX))


class Refresh(Schema):
    """A refresh token handed in."""

    refresh_token = fields.String(required=True, validate=validate.Length(1, REFRESH_TOKEN_MAX))


class Profile(_Stripped):
    """What owners may change: at least one of `name`, `time_zone` and `language`."""

    name = fields.String(allow_none=True, validate=[validate.Length(1, NAME_MAX), one_line])
    time_zone = fields.String(validate=_is_time_zone)
    language = fields.String(
        validate=validate.Regexp(r"\A[a-z]{2,3}\Z", error="Write it as in BCP 47: en.")
    )

    @validates_schema
    def _something(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Name what to change.")
