"""What clients may ask about their inbox and its pushes, declared once for every transport."""

from functools import partial
from typing import Any

from models.errors import NotFound
from models.fields import NoFields
from models.identity import Identity
from models.notifications.operations import Notifications
from models.notifications.schema import (
    MAX_ID,
    ChangesQuery,
    InboxQuery,
    NotificationId,
    Preferences,
    PushEndpoint,
    PushSubscription,
    ReadAll,
    SendNotification,
    SomePreferences,
)
from models.notifications.views import (
    PreferencesView,
    PushKeyView,
    PushSubscriptionView,
    UnreadView,
)
from models.operation import Form, Operation, Operations, Takes, delete, get, patch, post, put

ROOT = "/api/v1/notifications"


async def _prefer(
    notifications: Notifications, caller: Identity, **wanted: bool
) -> PreferencesView:
    return await notifications.inbox.prefer(caller, wanted)


def _number(id: int | str) -> int:
    """Return the id, which a path has as text."""
    if isinstance(id, int):
        return id
    if id.isascii() and id.isdecimal() and len(id) <= len(str(MAX_ID)):
        return int(id)
    raise NotFound("There is no such notification.", code="notification_not_found")


async def _read(notifications: Notifications, caller: Identity, id: int | str) -> UnreadView:
    return await notifications.inbox.read(caller, _number(id))


async def _archive(notifications: Notifications, caller: Identity, id: int | str) -> UnreadView:
    return await notifications.inbox.archive(caller, _number(id))


async def _subscribe(
    notifications: Notifications, caller: Identity, **subscription: Any
) -> PushSubscriptionView:
    await notifications.subscriptions.add(caller, **subscription)
    return {"endpoint": subscription["endpoint"]}


async def _public_key(notifications: Notifications) -> PushKeyView:
    return {"public_key": push_key(notifications)}


def push_key(notifications: Notifications) -> str:
    """Return the public key of pushes.

    Raises:
        NotFound: code `push_not_configured`.
    """
    key = notifications.push.public_key
    if key is None:
        raise NotFound("There are no pushes here.", code="push_not_configured")
    return key


NOTIFICATIONS: Operations[Notifications] = (
    Operation(
        name="list_notifications",
        summary="Return a page of the inbox.",
        call=lambda notifications: notifications.inbox.page,
        request=InboxQuery(),
        routes=(get(ROOT),),
    ),
    Operation(
        name="list_notification_changes",
        summary="Return what has become of older notifications.",
        call=lambda notifications: notifications.inbox.changes,
        request=ChangesQuery(),
        routes=(get(f"{ROOT}/changes"),),
    ),
    Operation(
        name="count_unread",
        summary="Return how many are unread.",
        call=lambda notifications: notifications.inbox.unread,
        request=NoFields(),
        routes=(get(f"{ROOT}/unread-count"),),
    ),
    Operation(
        name="read_notification",
        summary="Mark one as read.",
        call=lambda notifications: partial(_read, notifications),
        request=NotificationId(),
        errors=("notification_not_found",),
        routes=(post(f"{ROOT}/{{id}}/read"),),
    ),
    Operation(
        name="read_all_notifications",
        summary="Mark all as read.",
        call=lambda notifications: notifications.inbox.read_all,
        request=ReadAll(),
        routes=(post(f"{ROOT}/read-all"),),
    ),
    Operation(
        name="archive_notification",
        summary="Move one to the archive.",
        call=lambda notifications: partial(_archive, notifications),
        request=NotificationId(),
        errors=("notification_not_found",),
        routes=(post(f"{ROOT}/{{id}}/archive"),),
    ),
    Operation(
        name="get_notification_preferences",
        summary="Return which types are wanted.",
        call=lambda notifications: notifications.inbox.preferences,
        request=NoFields(),
        routes=(get(f"{ROOT}/preferences"),),
    ),
    Operation(
        name="set_notification_preferences",
        summary="Choose for all types whether they are wanted; returns them.",
        call=lambda notifications: partial(_prefer, notifications),
        request=Preferences(),
        routes=(put(f"{ROOT}/preferences"),),
    ),
    Operation(
        name="update_notification_preferences",
        summary="Choose for some types whether they are wanted; returns all.",
        call=lambda notifications: partial(_prefer, notifications),
        request=SomePreferences(),
        routes=(patch(f"{ROOT}/preferences"),),
    ),
    Operation(
        name="subscribe_push",
        summary="Send pushes to a browser; returns its `endpoint`.",
        call=lambda notifications: partial(_subscribe, notifications),
        request=PushSubscription(),
        precondition=push_key,
        errors=("push_not_configured",),
        command=False,
        routes=(post("/api/v1/push/subscriptions", 201),),
    ),
    Operation(
        name="unsubscribe_push",
        summary="End the pushes to a browser.",
        call=lambda notifications: notifications.subscriptions.remove,
        request=PushEndpoint(),
        command=False,
        routes=(delete("/api/v1/push/subscriptions", body_of_delete=True),),
    ),
    Operation(
        name="send_notification",
        summary="Send a notification to a user, as another service.",
        call=lambda notifications: notifications.send,
        request=SendNotification(),
        errors=(
            "service_token_invalid",
            "account_not_found",
        ),
        command=False,
        takes=Takes.NOTHING,
        routes=(post(ROOT, 201, special=True),),
    ),
    Operation(
        name="get_push_key",
        summary="Return the `applicationServerKey` for browsers.",
        call=lambda notifications: partial(_public_key, notifications),
        request=NoFields(),
        errors=("push_not_configured",),
        command=False,
        takes=Takes.NOTHING,
        routes=(get("/api/v1/push/public-key", form=Form.PUBLIC),),
    ),
)
