"""Notifications over REST: the inbox, what is wanted, pushes, and the door of other services."""

from aiohttp import web

from app.rest.idempotency import key_of
from app.rest.requests import body, caller, named, query
from app.service_token import ServiceToken
from models.errors import NotFound
from models.notifications.operations import Notifications
from models.notifications.schema import (
    MAX_ID,
    InboxQuery,
    Preferences,
    PushEndpoint,
    PushSubscription,
    ReadAll,
    SendNotification,
)

SERVICE_TOKEN: web.AppKey[ServiceToken] = web.AppKey("service_token", ServiceToken)

_SEND = SendNotification(exclude=("idempotency_key",))
_QUERY = InboxQuery()
_READ_ALL = ReadAll()
_PREFERENCES = Preferences()
_SUBSCRIPTION = PushSubscription()
_ENDPOINT = PushEndpoint()


class NotificationsRest:
    """The routes of notifications."""

    def __init__(self, notifications: Notifications) -> None:
        self._notifications = notifications
        self._inbox = notifications.inbox

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        root = "/api/v1/notifications"
        return [
            web.get(root, self.page),
            web.post(root, self.send),
            web.get(f"{root}/unread-count", self.unread),
            web.post(f"{root}/read-all", self.read_all),
            web.get(f"{root}/preferences", self.preferences),
            web.put(f"{root}/preferences", self.prefer),
            web.post(f"{root}/{{id}}/read", self.read),
            web.post(f"{root}/{{id}}/archive", self.archive),
            web.get("/api/v1/push/public-key", self.public_key),
            web.post("/api/v1/push/subscriptions", self.subscribe),
            web.delete("/api/v1/push/subscriptions", self.unsubscribe),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """201 with `id`, `user_id`, `created`, `push`, `push_reason`; for other services.

        200 for what was told under the same `Idempotency-Key` by gRPC, or longer ago than answers
        are kept.
        """
        request.app[SERVICE_TOKEN].check(request.headers.get("Authorization"))
        await named(request, "service")
        wanted = await body(request, _SEND)
        sent = await self._notifications.send(**wanted, idempotency_key=key_of(request))
        return web.json_response(sent, status=201 if sent["created"] else 200)

    async def page(self, request: web.Request) -> web.Response:
        """200 with `items`, `next`, `unread`, `revision`."""
        identity = await caller(request)
        return web.json_response(await self._inbox.page(identity, **await query(request, _QUERY)))

    async def unread(self, request: web.Request) -> web.Response:
        """200 with `unread`, `revision`."""
        return web.json_response(await self._inbox.unread(await caller(request)))

    async def read(self, request: web.Request) -> web.Response:
        """200 with `unread`, `revision`."""
        identity = await caller(request)
        return web.json_response(await self._inbox.read(identity, _id(request)))

    async def read_all(self, request: web.Request) -> web.Response:
        """200 with `unread`, `revision`."""
        identity = await caller(request)
        wanted = await body(request, _READ_ALL)
        return web.json_response(await self._inbox.read_all(identity, **wanted))

    async def archive(self, request: web.Request) -> web.Response:
        """200 with `unread`, `revision`."""
        identity = await caller(request)
        return web.json_response(await self._inbox.archive(identity, _id(request)))

    async def preferences(self, request: web.Request) -> web.Response:
        """200 with true or false for each type."""
        return web.json_response(await self._inbox.preferences(await caller(request)))

    async def prefer(self, request: web.Request) -> web.Response:
        """200 with true or false for each type, as it is now."""
        identity = await caller(request)
        wanted = await body(request, _PREFERENCES)
        return web.json_response(await self._inbox.prefer(identity, wanted))

    async def public_key(self, request: web.Request) -> web.Response:
        """200 with `public_key`, the browser's `applicationServerKey`; 404 without push."""
        return web.json_response({"public_key": self._push_key()})

    async def subscribe(self, request: web.Request) -> web.Response:
        """201; the body is the browser's `PushSubscription`."""
        identity = await caller(request)
        self._push_key()
        wanted = await body(request, _SUBSCRIPTION)
        await self._notifications.subscriptions.add(identity, **wanted)
        return web.json_response({"endpoint": wanted["endpoint"]}, status=201)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """204, also when it was not known; the body has the `endpoint`."""
        identity = await caller(request)
        await self._notifications.subscriptions.remove(identity, **await body(request, _ENDPOINT))
        return web.Response(status=204)

    def _push_key(self) -> str:
        key = self._notifications.push.public_key
        if key is None:
            raise NotFound("There are no pushes here.", code="push_not_configured")
        return key


def _id(request: web.Request) -> int:
    text = request.match_info["id"]
    if text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID)):
        return int(text)
    raise NotFound("There is no such notification.", code="notification_not_found")
