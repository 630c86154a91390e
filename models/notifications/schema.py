"""The types of notifications, and what a caller may send about them."""

from base64 import b64decode
from typing import Any, cast
from urllib.parse import urlsplit

from marshmallow import EXCLUDE, ValidationError, post_load, validate

from models.fields import SCALAR_MAX, Flag, Input, Part, Text, WholeNumber
from models.pages import DEFAULT_PAGE, MAX_PAGE

DOCUMENTED_TYPES = (
    "match_created",
    "order_created",
    "order_paid",
    "order_shipped",
    "order_delivered",
    "payment_succeeded",
    "payment_failed",
    "payout_completed",
)
"""Those of docs/older-apis/market-notifications.md: what `/ws` delivers and services may send."""

TYPES = (
    *DOCUMENTED_TYPES,
    "order_cancelled",
    "order_refunded",
    "order_reminder",
    "order_complaint",
    "offer_expiring",
    "payment_returned",
)
"""All that the inbox, Socket.IO and pushes carry: what the document has no name for, too."""

MAX_TITLE = 200
"""Characters: one line of a phone's notification, with room to spare."""

MAX_MESSAGE = 2_000
"""Characters: a short paragraph; a push message carries its beginning."""

MAX_LINK = 1_000
MAX_KEY = 200
MAX_ID = 2**53 - 1
"""The largest number that JSON programs keep exactly."""


def _is_link(text: str) -> None:
    """Accept a path of the web client or an http(s) address: clients open what they are given."""
    if not text:
        return
    if text.isprintable() and "\\" not in text and " " not in text:
        try:
            parts = urlsplit(text)
        except ValueError:
            parts = None
        if parts and parts.scheme in ("http", "https") and parts.netloc:
            return
        if parts and not parts.scheme and not parts.netloc and text.startswith("/"):
            return
    raise ValidationError('Not a path like "/orders/1" or an http address.')


class UserId(WholeNumber):
    """An account id: a number in the documents, text elsewhere; loads as text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        number = super()._deserialize(value, attr, data, **kwargs)
        if not 1 <= number < 2**63:
            raise ValidationError("Not an account id.")
        return str(number)


def _id(**options: Any) -> WholeNumber:
    return WholeNumber(validate=validate.Range(0, MAX_ID), **options)


class SendNotification(Input):
    """A notification that another service sends.

    `user_id`, `type`, `title`, `message`; optional: `link`, `send_push`, and `idempotency_key`,
    under which a repeat of the same request is published once.
    """

    user_id = UserId(required=True)
    type = Text(SCALAR_MAX, required=True, validate=validate.OneOf(DOCUMENTED_TYPES))
    title = Text(MAX_TITLE, min_length=1, required=True)
    message = Text(MAX_MESSAGE, min_length=1, required=True)
    link = Text(MAX_LINK, load_default="", validate=_is_link)
    send_push = Flag(load_default=False)
    idempotency_key = Text(MAX_KEY, min_length=1, load_default=None, allow_none=True)


OLDER, NEWER = "older", "newer"
"""In which direction a list goes on."""


def cursor(direction: str, id: int) -> str:
    """Return where a list goes on: behind the notification `id`, in the direction it had."""
    return f"{direction}.{id}"


class _Cursor(WholeNumber):
    """An id, or a `next` of an earlier page, which loads as direction and id."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            direction, dot, id = value.partition(".")
            if dot and direction in (OLDER, NEWER):
                return direction, super()._deserialize(id, attr, data, **kwargs)
        return super()._deserialize(value, attr, data, **kwargs)


def _in_bounds(loaded: Any) -> None:
    validate.Range(0, MAX_ID)(loaded[1] if isinstance(loaded, tuple) else loaded)


class InboxQuery(Input):
    """Which part of the inbox.

    Without a cursor the newest; `before` (an id) the older ones; `after` (an id) the newer ones,
    oldest first. A `next` goes on where it comes from, as `after` or as `before`. `limit` 1 to 100,
    20 if absent. `archived`: the archive instead.
    """

    after = _Cursor(load_default=None, allow_none=True, validate=_in_bounds)
    before = _Cursor(load_default=None, allow_none=True, validate=_in_bounds)
    limit = WholeNumber(load_default=DEFAULT_PAGE, validate=validate.Range(1, MAX_PAGE))
    archived = Flag(text=True, load_default=False)

    @post_load
    def _directed(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        for field in ("after", "before"):
            if isinstance(data[field], tuple):
                direction, id = data[field]
                data[field] = None
                if direction == OLDER:
                    data |= {"after": None, "before": id}
                else:
                    data["after"] = id
        return data


class ChangesQuery(Input):
    """What has changed after the revision `after`; `limit` of what was archived."""

    after = _id(required=True)
    limit = WholeNumber(load_default=MAX_PAGE, validate=validate.Range(1, MAX_PAGE))


class NotificationId(Input):
    """Which notification of one's own: `id`."""

    id = _id(required=True)


class ReadAll(Input):
    """All that is unread; with `up_to` (an id) only what the reader has seen so far."""

    up_to = _id(load_default=None, allow_none=True)


class _Base64Url(Text):
    """Bytes as browsers write them: base64url, padded or not."""

    def __init__(self, sizes: range, **options: Any) -> None:
        super().__init__(MAX_LINK, **options)
        self._sizes = sizes

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs).rstrip("=")
        try:
            decoded = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise ValidationError("Not base64url.") from error
        if len(decoded) not in self._sizes:
            raise ValidationError("Not a key of this kind.")
        return text


class _Keys(Input):
    p256dh = _Base64Url(range(65, 66), required=True)
    auth = _Base64Url(range(16, 17), required=True)


class PushSubscription(Input):
    """A browser's `PushSubscription`, as its `toJSON` writes it: `endpoint` and `keys`."""

    class Meta:
        """Pass over `expirationTime`, and what browsers may add."""

        unknown = EXCLUDE

    endpoint = Text(MAX_LINK, min_length=1, required=True)
    keys = Part(_Keys, required=True)


class PushEndpoint(Input):
    """Which subscription: its `endpoint`."""

    endpoint = Text(MAX_LINK, min_length=1, required=True)


_WANTED: dict[str, Any] = {type: Flag(required=type in DOCUMENTED_TYPES) for type in TYPES}
Preferences: type[Input] = cast("type[Input]", Input.from_dict(_WANTED, name="Preferences"))
"""Which types are wanted, each true or false: all of the document.

Clients of that document know no others; those that they leave out stay as they are."""

SomePreferences: type[Input] = cast(
    "type[Input]", Input.from_dict({type: Flag() for type in TYPES}, name="SomePreferences")
)
"""Which of `TYPES` are wanted; those that are left out stay as they are."""
