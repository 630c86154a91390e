"""What is special about notifications over REST: other services send them, with their own token."""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from app.origins import ORIGINS
from app.rest.contract import Credential, contract
from app.rest.idempotency import key_of
from app.rest.requests import body, named
from app.service_token import ServiceToken
from models.notifications.operations import Notifications
from models.notifications.schema import SendNotification
from models.notifications.views import SentView

SERVICE_TOKEN: web.AppKey[ServiceToken] = web.AppKey("service_token", ServiceToken)

_SEND = SendNotification(exclude=("idempotency_key",))


def special(notifications: Notifications) -> Mapping[str, Handler]:
    """Return the handlers that are written by hand, by operation."""

    @contract(
        "notifications",
        {200: SentView, 201: SentView},
        credential=Credential.SERVICE,
        body=_SEND,
        headers=("Idempotency-Key",),
    )
    async def send(request: web.Request) -> web.StreamResponse:
        """201 with `id`, `user_id`, `created`, `push`, `push_reason`.

        200 for what was sent under the same `Idempotency-Key` by gRPC, or longer ago than answers
        are kept.
        """
        trusted = request.app[ORIGINS].trusts(request)
        request.app[SERVICE_TOKEN].check(request.headers.get("Authorization"), trusted=trusted)
        await named(request, "service")
        wanted = await body(request, _SEND)
        sent = await notifications.send(**wanted, idempotency_key=key_of(request))
        return web.json_response(sent, status=201 if sent["created"] else 200)

    return {"send_notification": send}
