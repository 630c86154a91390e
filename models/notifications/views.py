"""The shapes in which notifications are shown: answers and events are made of them."""

from typing import TypedDict


class NotificationContent(TypedDict):
    """What a notification says, which never changes."""

    id: int
    """Counts the account's own from 1 without gaps."""

    type: str
    title: str
    message: str
    link: str
    created_at: str
    """UTC text with milliseconds."""


class NotificationView(NotificationContent):
    """A notification as its reader sees it."""

    read: bool
    archived: bool


class UnreadView(TypedDict):
    """How many are unread; of several counts the one with the highest `revision` holds."""

    unread: int
    revision: int


class InboxView(TypedDict):
    """A page of the inbox."""

    items: list[NotificationView]
    next: str | None
    """What to send as `after` or as `before` for the page that follows; null on the last one."""

    unread: int
    revision: int


class InboxChangesView(UnreadView):
    """What has become of older notifications; `revision` is where to go on from."""

    unread_ranges: list[list[int]]
    """First and last id of each stretch that is unread now; all others are read."""

    archived_ids: list[int]
    """Archived after the revision asked for."""

    more: bool
    """Whether more were archived."""


class SentView(TypedDict):
    """What became of a notification that another service sent."""

    id: int
    user_id: str
    created: bool
    """False for a repeat under the same `idempotency_key`."""

    push: str
    """`queued`, `skipped` or `not_requested`."""

    push_reason: str | None
    """Why it was skipped: `no_vapid_keys`, `repeated` (queued or skipped before), `muted`,
    `no_subscription` or `busy`."""


class PushSubscriptionView(TypedDict):
    """A browser that receives pushes."""

    endpoint: str


class PushKeyView(TypedDict):
    """What browsers subscribe with."""

    public_key: str
    """The `applicationServerKey`."""


class PreferencesView(TypedDict):
    """Which types are wanted."""

    match_created: bool
    order_created: bool
    order_paid: bool
    order_shipped: bool
    order_delivered: bool
    payment_succeeded: bool
    payment_failed: bool
    payout_completed: bool
    order_cancelled: bool
    order_refunded: bool
    order_reminder: bool
    order_complaint: bool
    offer_expiring: bool
    payment_returned: bool
