"""A raw endpoint by itself: no database, tokens that are what they say."""

from dataclasses import replace

import pytest
from aiohttp import web

from app.legacy.credentials import by_token
from app.legacy.dialects.notifications import NotificationsDialect
from app.legacy.endpoint import RawEndpoint
from app.legacy.policy import Policy
from app.main import build_account_limits
from app.memory import Budget
from app.origins import Origins
from app.realtime.events.publisher import RoomPublisher
from app.realtime.rooms import RoomManager
from app.rest.errors import problems
from app.rest.requests import AUTHENTICATE
from app.settings import Limits
from models.errors import Unauthorized
from models.identity import Identity
from models.rooms import user_room


async def token_says_who(token):
    """Stand for the real check: `<account>`, `<account>/<session>` or `<account>@<expiry>`."""
    if not token:
        raise Unauthorized("A token is needed.", code="token_missing")
    name, _, expires_at = token.partition("@")
    account_id, _, session_id = name.partition("/")
    return Identity(
        account_id,
        f"user{account_id}@example.com",
        account_id,
        session_id=session_id or None,
        expires_at=float(expires_at) if expires_at else None,
    )


OF_WS = Policy(
    by_token,
    lambda identity: [user_room(identity.account_id)],
    connections_per_user=1,
    connects_per_minute=5,
    newest_wins=True,
)


class Raw:
    """A running `/ws` and what goes on behind it."""

    def __init__(self, endpoint, manager, doors):
        self.endpoint = endpoint
        self.manager = manager
        self.publisher = RoomPublisher(manager.log)
        self.doors = doors
        self.raw = doors.raw

    async def tell(self, account_id, event):
        await self.publisher.publish(event, user_room(account_id))


@pytest.fixture
def raw_endpoint(listening):
    """Start an endpoint; keywords are those of `Limits`, or are named here.

    `policy` is what differs from the policy of `/ws`.
    """

    async def start(
        *,
        ping_interval_s=50.0,
        origins=None,
        middlewares=(),
        dialect=None,
        policy=None,
        **limits,
    ):
        manager = RoomManager()
        chosen = replace(Limits(), **limits)
        endpoint = RawEndpoint(
            dialect or NotificationsDialect(),
            replace(OF_WS, **(policy or {})),
            manager,
            origins or Origins((), development=True),
            build_account_limits(chosen),
            limits=chosen,
            ping_interval_s=ping_interval_s,
            budget=Budget(100_000_000),
        )
        app = web.Application(middlewares=[*middlewares, problems])
        app[AUTHENTICATE] = token_says_who
        app.router.add_get("/ws", endpoint.handle)
        url = await listening.start(app)
        return Raw(endpoint, manager, listening.doors(url))

    return start
