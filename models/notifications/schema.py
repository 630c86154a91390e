"""What may be told, and what a caller may send about it."""

from base64 import b64decode
from typing import Any
from urllib.parse import urlsplit

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from models.fields import WholeNumber, is_text, not_blank
from models.pages import DEFAULT_PAGE, MAX_PAGE

TYPES = (
    "match_created",
    "order_created",
    "order_paid",
    "order_shipped",
    "order_delivered",
    "payment_succeeded",
    "payment_failed",
    "payout_completed",
)
"""The eight of `market-notifications.md`."""

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


def _id(**options: Any) -> fields.Integer:
    return WholeNumber(validate=validate.Range(0, MAX_ID), **options)


class SendNotification(Schema):
    """What another service asks to be told.

    `user_id`, `type`, `title`, `message`; optional: `link`, `send_push`, and `idempotency_key`,
    under which a repeat of the same request is told once.
    """

    user_id = UserId(required=True)
    type = fields.String(required=True, validate=validate.OneOf(TYPES))
    title = fields.String(
        required=True, validate=[validate.Length(1, MAX_TITLE), not_blank, is_text]
    )
    message = fields.String(
        required=True, validate=[validate.Length(1, MAX_MESSAGE), not_blank, is_text]
    )
    link = fields.String(
        load_default="", validate=[validate.Length(max=MAX_LINK), is_text, _is_link]
    )
    send_push = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    idempotency_key = fields.String(
        load_default=None,
        allow_none=True,
        validate=[validate.Length(1, MAX_KEY), is_text],
    )


class InboxQuery(Schema):
    """Which part of the inbox.

    Without a cursor the newest; `before` (an id) the older ones; `after` (an id) the newer ones,
    oldest first. `limit` 1 to 100, 20 if absent. `archived`: the archive instead.
    """

    after = _id(load_default=None, allow_none=True)
    before = _id(load_default=None, allow_none=True)
    limit = WholeNumber(load_default=DEFAULT_PAGE, validate=validate.Range(1, MAX_PAGE))
    archived = fields.Boolean(load_default=False)


class NotificationId(Schema):
    """Which notification of one's own: `id`."""

    id = _id(required=True)


class ReadAll(Schema):
    """All that is unread; with `up_to` (an id) only what the reader has seen so far."""

    up_to = _id(load_default=None, allow_none=True)


class NoPayload(Schema):
    """Nothing to say."""


class _Base64Url(fields.String):
    """Bytes as browsers write them: base64url, padded or not."""

    def __init__(self, sizes: range, **options: Any) -> None:
        super().__init__(**options)
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


class _Keys(Schema):
    p256dh = _Base64Url(range(65, 66), required=True)
    auth = _Base64Url(range(16, 17), required=True)


class PushSubscription(Schema):
    """A browser's `PushSubscription`, as its `toJSON` writes it: `endpoint` and `keys`."""

    class Meta:
        """Pass over `expirationTime`, and what browsers may add."""

        unknown = EXCLUDE

    endpoint = fields.String(required=True, validate=validate.Length(1, MAX_LINK))
    keys = fields.Nested(_Keys, required=True)


class PushEndpoint(Schema):
    """Which subscription: its `endpoint`."""

    endpoint = fields.String(required=True, validate=validate.Length(1, MAX_LINK))


Preferences = Schema.from_dict(
    {type: fields.Boolean(load_default=True, truthy={True}, falsy={False}) for type in TYPES},
    name="Preferences",
)
"""Which types are wanted: each of `TYPES` true or false; one that is left out is wanted."""
