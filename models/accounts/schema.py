"""What an account looks like: in memory, to its owner, and in what clients send."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from marshmallow import (
    ValidationError,
    pre_load,
    validate,
    validates_schema,
)

from models.accounts.emails import EMAIL_MAX, check_email
from models.accounts.languages import primary_language
from models.accounts.naming import PHONE
from models.accounts.stored import StoredAccount
from models.accounts.views import OwnAccountView
from models.errors import NotFound
from models.fields import SCALAR_MAX, Input, Secret, Text, person_name
from models.times import to_text

PASSWORD_MIN = 8
PASSWORD_MAX = 256
"""Characters; beyond it a password costs work and adds no strength."""

NAME_MAX = 100
TIME_ZONE = "UTC"
LANGUAGE = "en"
"""What an account has until its owner says otherwise."""

REFRESH_TOKEN_MAX = 128
LINK_TOKEN_MAX = 128
INVITE_MAX = 64


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

    credential_version: int = 0
    """Counts how often all credentials of the account have been ended at once."""

    credentials_ended_at: datetime | None = None
    """When that was last done."""

    password_version: int = 0
    """Counts the changes of the password."""

    email_verified_at: datetime | None = None
    """When the owner first proved that the e-mail is theirs."""

    phone_verified_at: datetime | None = None
    """When the owner first proved that the phone number is theirs."""

    @classmethod
    def of(cls, document: StoredAccount) -> "Account":
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
            credential_version=document.get("credential_version", 0),
            credentials_ended_at=document.get("credentials_ended_at"),
            password_version=document.get("password_version", 0),
            email_verified_at=document.get("email_verified_at"),
            phone_verified_at=document.get("phone_verified_at"),
        )

    def has_credentials_of(self, earlier: "Account") -> bool:
        """Whether what proved the account to be its owner's at `earlier` still does."""
        now = (self.credential_version, self.password_version)
        return now == (earlier.credential_version, earlier.password_version)

    def data(self) -> OwnAccountView:
        """Return the account as its owner sees it."""
        return {
            "id": self.id,
            "email": self.email,
            "name": self.name,
            "phone": self.phone,
            "public_id": self.public_id,
            "created_at": to_text(self.created_at),
            "time_zone": self.time_zone,
            "language": self.language,
            "email_verified_at": _time(self.email_verified_at),
            "phone_verified_at": _time(self.phone_verified_at),
        }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)


Found = TypeVar("Found")


def existing(found: Found | None) -> Found:
    """Return what was found of an account.

    Raises:
        NotFound: code `account_not_found`: nothing.
    """
    if found is None:
        raise NotFound("There is no such account.", code="account_not_found")
    return found


@cache
def time_zones() -> frozenset[str]:
    """Return the IANA names that an account can have, the same on every server."""
    # `zoneinfo.available_timezones` takes a tenth of a second, and adds the server's own zone.
    names = files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return frozenset(names) - {"Factory"}


def _is_time_zone(name: str) -> None:
    if name not in time_zones():
        raise ValidationError("Not a time zone of the IANA database: Europe/Berlin is one.")


class _Stripped(Input):
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


def email_field(**options: Any) -> Text:
    """Return the field of an e-mail address, the same wherever one is taken in."""
    return Text(EMAIL_MAX, validate=check_email, **options)


def phone_field(**options: Any) -> Text:
    """Return the field of a phone number, the same wherever one is taken in."""
    message = "Write it as in E.164: +441632960961."
    check = validate.Regexp(PHONE.pattern + r"\Z", error=message)
    return Text(SCALAR_MAX, validate=check, **options)


def name_field(**options: Any) -> Text:
    """Return the field of a person's name, the same wherever one is taken in."""
    return Text(NAME_MAX, min_length=1, allow_none=True, validate=person_name, **options)


def time_zone_field(**options: Any) -> Text:
    """Return the field of a time zone, by its IANA name."""
    return Text(SCALAR_MAX, validate=_is_time_zone, **options)


def usable(field: Text, value: object) -> str | None:
    """Return a claim of a foreign token as the field loads it, None when it is not usable."""
    if not isinstance(value, str):
        return None
    try:
        loaded: str | None = field.deserialize(value.strip())
    except ValidationError:
        return None
    return loaded


class SignUp(_Stripped):
    """A new account with a password."""

    email = email_field(required=True)
    password = Secret(PASSWORD_MAX, min_length=PASSWORD_MIN, required=True)
    name = name_field(load_default=None)
    phone = phone_field(allow_none=True, load_default=None)
    invite = Secret(INVITE_MAX, min_length=1, allow_none=True)
    time_zone = time_zone_field(allow_none=True)


class LogIn(_Stripped):
    """An attempt to log in; anything but bounds would reveal what a right password looks like."""

    email = Text(EMAIL_MAX, min_length=1, required=True)
    password = Secret(PASSWORD_MAX, min_length=1, required=True)


class Refresh(Input):
    """A refresh token handed in."""

    refresh_token = Secret(REFRESH_TOKEN_MAX, min_length=1, required=True)


class NewPassword(Input):
    """A password in the place of another one."""

    current_password = Secret(PASSWORD_MAX, min_length=1, required=True)
    new_password = Secret(PASSWORD_MAX, min_length=PASSWORD_MIN, required=True)


class Deletion(Input):
    """The wish to delete an account: its password, or `confirm` where it has none."""

    password = Secret(PASSWORD_MAX, min_length=1, allow_none=True, load_default=None)
    confirm = Text(PASSWORD_MAX, allow_none=True, load_default=None)


class NewEmail(_Stripped):
    """Another e-mail for an account, and its password."""

    email = email_field(required=True)
    password = Secret(PASSWORD_MAX, min_length=1, required=True)


class Forgotten(_Stripped):
    """Whose password has been forgotten."""

    email = Text(EMAIL_MAX, min_length=1, required=True)


class OneTimeToken(Input):
    """The token of a link."""

    token = Secret(LINK_TOKEN_MAX, min_length=1, required=True)


class Reset(OneTimeToken):
    """The token of a link, and the password that it is to set."""

    password = Secret(PASSWORD_MAX, min_length=PASSWORD_MIN, required=True)


class _Language(Text):
    """A BCP 47 tag; loads as its primary language, which is what there are catalogues of."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return primary_language(super()._deserialize(value, attr, data, **kwargs))


class Profile(_Stripped):
    """What owners may change: at least one of `name`, `time_zone` and `language`."""

    name = name_field()
    time_zone = time_zone_field()
    language = _Language(SCALAR_MAX)

    @validates_schema
    def _something(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ValidationError("Name what to change.")
