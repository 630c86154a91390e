"""Build the notifications: their inbox, their pushes, and who may have them sent."""

from collections.abc import AsyncIterator

from aiohttp import web

from app.rest.notifications import SERVICE_TOKEN
from app.service_token import ServiceToken
from app.settings import Settings
from models.database import Database
from models.events import Publisher
from models.notifications.operations import FindAccount, Notifications
from models.notifications.push_drops import PushDrops
from models.notifications.subscriptions import Subscriptions
from models.times import now

NOTIFICATIONS: web.AppKey[Notifications] = web.AppKey("notifications", Notifications)


def add_notifications(
    app: web.Application,
    settings: Settings,
    database: Database,
    publisher: Publisher,
    find_account: FindAccount,
) -> Notifications:
    """Build the notifications of an application; its cleanup ends their pushes.

    Raises:
        SettingsError: the VAPID settings make no keys.
    """
    public_only = not settings.development
    subscriptions = Subscriptions(database, now, public_only=public_only)
    sender = None
    if settings.vapid_private_key:
        # Half a second to import, for those who want pushes only.
        from app.push.sender import WebPushSender
        from app.push.vapid import VapidKeys

        keys = VapidKeys(settings.vapid_private_key, settings.vapid_subject)
        drops = PushDrops(database, now)
        sender = WebPushSender(keys, subscriptions, drops, public_only=public_only)

        async def ending(app: web.Application) -> AsyncIterator[None]:
            yield
            await sender.close()

        app.cleanup_ctx.append(ending)
    notifications = Notifications(
        database,
        publisher,
        find_account=find_account,
        subscriptions=subscriptions,
        push=sender,
    )
    app[SERVICE_TOKEN] = ServiceToken(settings.service_token, development=settings.development)
    app[NOTIFICATIONS] = notifications
    return notifications
