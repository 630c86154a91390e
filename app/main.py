"""The application: the only place that wires things together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta

from aiohttp import web

from app import web as web_client
from app.access_log import log_requests
from app.domains import DOMAINS, Domain, Foundation, Model
from app.identity.authenticator import Authenticator
from app.identity.development import DevelopmentCredentials
from app.identity.firebase import FirebaseTokens
from app.identity.own_jwt import OwnTokens
from app.identity.revocation import RevocationWatch
from app.legacy.routes import LegacyRoutes
from app.llm.generator import add_generator
from app.notifying import add_notifications
from app.origins import Origins
from app.proxies import forwarded
from app.realtime import inbox
from app.realtime.publisher import RoomPublisher
from app.realtime.rooms import RoomManager
from app.realtime.socketserver import SocketServer
from app.rest.auth import AuthRoutes
from app.rest.errors import problems
from app.rest.health import HealthRoutes
from app.rest.idempotency import answered_once
from app.rest.requests import AUTHENTICATE, UNPROVED
from app.settings import Settings
from app.store import Store, open_store
from models.accounts import Accounts, Passwords
from models.idempotency import Idempotency
from namespaces.door import Door

logger = logging.getLogger(__name__)

SWEEP_INTERVAL_S = 60.0
DRAIN_S = 1.0
"""How long a stopping server lets commands that have begun come to their end."""


async def create_app(settings: Settings) -> web.Application:
    """Open the store and build the application; its cleanup closes everything again."""
    store = await open_store(settings)
    keys = Idempotency(store.database)
    origins = Origins(settings.cors_origins, development=settings.development)
    app = web.Application(
        client_max_size=settings.limits.request_bytes,
        middlewares=[
            forwarded(settings.trusted_proxies),
            log_requests,
            origins.answer_preflights,
            problems,
            answered_once(keys),
        ],
    )
    app.on_response_prepare.append(origins.mark)
    manager = RoomManager()
    server = SocketServer(
        manager,
        ping_interval_s=settings.ping_interval_s,
        ping_timeout_s=settings.ping_timeout_s,
        unsent_bytes=settings.limits.unsent_bytes,
        origin_allowed=origins.allow,
    )
    passwords = Passwords()
    accounts = build_accounts(settings, store, passwords)
    authenticate = _add_identity(app, settings, accounts)
    publisher = RoomPublisher(manager)
    app.cleanup_ctx.append(_closing(store, passwords))
    notify = add_notifications(app, settings, store.database, publisher, accounts.find)
    generator = add_generator(app, settings)
    foundation = Foundation(store.database, publisher, settings, notify, accounts, generator)
    domains = [row.build(foundation) for row in DOMAINS]
    doors = [
        Door(domain.commands, authenticate, messages_per_s=settings.limits.messages_per_s)
        for domain in domains
    ]
    for door in doors:
        server.register_namespace(door)
    for domain in domains:
        app.add_routes(domain.rest.routes())
    commands = [domain.commands for domain in domains]
    legacy = LegacyRoutes(commands, manager, origins, settings, accounts.find)
    app.add_routes(legacy.routes())
    app.router.add_route("*", "/socket.io/", server.handle)
    app.add_routes(HealthRoutes(store.ping, lambda: len(legacy.notifications)).routes())
    app.add_routes(web_client.routes())
    app.on_shutdown.append(_farewell(server, legacy))
    watch = RevocationWatch(
        accounts, [*doors, *legacy.endpoints], interval_s=settings.revocation_check_s
    )
    app.cleanup_ctx.append(_lifetime(accounts, keys, domains, watch))
    return app


def build_accounts(settings: Settings, store: Store, passwords: Passwords) -> Accounts:
    """Build the accounts on an open store."""
    lifetime = timedelta(days=settings.refresh_token_days)
    return Accounts(store.database, passwords, refresh_lifetime=lifetime)


def _add_identity(app: web.Application, settings: Settings, accounts: Accounts) -> Authenticator:
    own = OwnTokens(settings.jwt_secret, timedelta(minutes=settings.access_token_minutes))
    firebase = None
    if settings.firebase_project_id:
        firebase = FirebaseTokens(settings.firebase_project_id, settings.firebase_jwks_url)

        async def close(app: web.Application) -> None:
            await firebase.close()

        app.on_cleanup.append(close)
    authenticate = Authenticator(accounts, own, firebase)
    if settings.development:
        app[UNPROVED] = DevelopmentCredentials(accounts)
    app[AUTHENTICATE] = authenticate
    app.add_routes(AuthRoutes(accounts, own, settings.limits).routes())
    return authenticate


def _farewell(
    server: SocketServer, legacy: LegacyRoutes
) -> Callable[[web.Application], Awaitable[None]]:
    async def farewell(app: web.Application) -> None:
        """Tell all clients (1001), and let what they asked for be finished."""
        await legacy.close_all()
        await server.shutdown()
        await inbox.drain(DRAIN_S)

    return farewell


def _lifetime(
    accounts: Accounts, keys: Idempotency, domains: list[Domain], watch: RevocationWatch
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        models: list[Model] = [accounts, keys, *(domain.model for domain in domains)]
        for model in models:
            await model.prepare()
        tasks = [asyncio.create_task(_sweep(models)), asyncio.create_task(watch.run())]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return lifetime


def _closing(
    store: Store, passwords: Passwords
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def closing(app: web.Application) -> AsyncIterator[None]:
        """Come last, also when starting has failed."""
        yield
        passwords.close()
        await store.close()

    return closing


async def _sweep(models: Iterable[Model]) -> None:
    while True:
        await asyncio.sleep(SWEEP_INTERVAL_S)
        for model in models:
            try:
                await model.sweep()
            except Exception:
                logger.exception("a sweep failed; it is tried again in a minute")
