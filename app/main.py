"""The application: the only place that wires things together."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TypeVar

from aiohttp import web

from app import web as web_client
from app.access_log import AccessLog, identified, log_connection, log_refusal, show_id
from app.admin.access import OperatorAccess
from app.admin.explain import Explainer
from app.admin.page import AdminPage
from app.admin.routes import AdminRoutes
from app.admin.work import OperatorWork
from app.contracts.catalogue import Catalogue
from app.contracts.routes import CATALOGUE, ContractRoutes, handwritten
from app.demo import Demo, load_demo
from app.domains import DOMAINS, Domain, Foundation, Model, Resident, payment_provider
from app.http.admission import Admission
from app.http.encodings import refuse_encoded
from app.http.finishing import finish_writes
from app.http.protections import protections
from app.identity.authenticator import Authenticator
from app.identity.cache import IdentityCache
from app.identity.development import DevelopmentCredentials
from app.identity.firebase import FirebaseTokens
from app.identity.own_jwt import OwnTokens
from app.identity.revocation import ConnectionHolder, RevocationWatch
from app.legacy.registry import dialects
from app.legacy.routes import LegacyRoutes
from app.llm.generator import add_generator
from app.mail.hook import MailHook
from app.memory import BUDGET, Budget
from app.metrics.live import LIVE, Live
from app.metrics.measures import METRICS, Metrics
from app.metrics.routes import MetricsRoutes, is_public
from app.notifying import add_notifications
from app.origins import ORIGINS, Origins
from app.proxies import forwarded
from app.realtime.events.asking import Asking
from app.realtime.events.bus import RedisLog
from app.realtime.events.delivery import EventLog, gap_notice
from app.realtime.events.memorylog import MemoryLog
from app.realtime.events.meter import DeliveryMeter
from app.realtime.events.publisher import RoomPublisher
from app.realtime.events.sharing import Sharing
from app.realtime.lives import LIVES, Lives
from app.realtime.rooms import RoomManager
from app.realtime.socketio.records import SharedRecords
from app.realtime.socketio.recovery import Recovery as ConnectionRecovery
from app.realtime.socketio.server import SocketServer
from app.rest.auth import AuthRoutes
from app.rest.client_config import ClientConfigRoutes, client_config
from app.rest.cursors import note_position, show_cursor
from app.rest.demo import DemoRoutes
from app.rest.errors import problems
from app.rest.health import PING, HealthRoutes
from app.rest.idempotency import answered_once
from app.rest.rates import RequestRates
from app.rest.requests import AUTHENTICATE, CHECK_RATE, UNPROVED
from app.rest.users import UsersRest
from app.settings import Limits, Settings
from app.stopping import STOP, Stop
from app.storage import Store, open_store
from app.workers.neighbours import Neighbours
from app.workers.place import Place
from models import finishing
from models.accounts import Accounts, Passwords
from models.accounts.admission import SignUpMode
from models.accounts.lookups import Lookups
from models.accounts.recovery import Recovery
from models.chat import Chat
from models.diary.operations import Diary
from models.errors import Conflict
from models.idempotency import Idempotency
from models.limits import SharedLimit
from models.market.deliveries import Deliveries
from models.market.stuck import StuckOrders
from models.migrations import Migrations
from models.oversight.actions import OperatorActions
from models.oversight.reports import Reports
from models.processes import Processes
from models.stories.operations import Stories
from models.times import now
from namespaces.gateway import DomainNamespace
from namespaces.guard import AccountLimits

logger = logging.getLogger(__name__)

Wanted = TypeVar("Wanted")

SWEEP_INTERVAL_S = 60.0
CLOSE_S = 0.5
"""For the store to finish what is under way; what was acknowledged is written long before."""

KEEP_SPARE_S = 5.0
"""Events are kept for so much longer than clients may be away: timers are late, and a client that
comes at the last moment is let in after that."""

PROCESSES = web.AppKey("processes", Processes)

DRAIN_S = 0.5
"""For writes whose caller was given up, and for sweeps, to come to their end before that."""


async def create_app(settings: Settings, place: Place | None = None) -> web.Application:
    """Open the store and build the application; its cleanup closes everything again.

    One of several workers has a `place` among them.
    """
    metrics = Metrics()
    store = (await open_store(settings)).observed(metrics.store_used)
    log = _event_log(settings)
    bus = (lambda: log.stream_id) if isinstance(log, RedisLog) else (lambda: None)
    processes = Processes(store.database, settings.process_name, bus=bus)
    keys = Idempotency(store.database, processes=processes)
    origins = Origins(settings.cors_origins, development=settings.development, host=settings.host)
    rates = RequestRates(settings.limits)
    admission = Admission()
    stop = Stop(drain_s=settings.drain_s)
    app = web.Application(
        client_max_size=settings.limits.request_bytes,
        middlewares=[
            identified(trusted=settings.trusted_proxies > 0),
            forwarded(settings.trusted_proxies),
            AccessLog(
                metrics.request_answered, with_addresses=settings.log_client_addresses
            ).middleware,
            admission.middleware(),
            stop.middleware,
            refuse_encoded,
            origins.guard,
            origins.answer_preflights,
            finish_writes,
            problems,
            note_position(log),
            rates.limit_anonymous,
            answered_once(keys),
        ],
    )
    app[STOP] = stop
    app[PROCESSES] = processes
    app[ORIGINS] = origins
    app[CHECK_RATE] = rates.check
    app.on_response_prepare.append(show_id)
    app.on_response_prepare.append(show_cursor)
    app.on_response_prepare.append(origins.mark)
    app.on_response_prepare.append(protections(production=not settings.development))
    budget = app[BUDGET] = Budget(settings.memory_budget_bytes)
    lives = Lives(keep_addresses=settings.log_client_addresses)
    lives.observe(metrics.connection_ended)
    lives.observe(log_connection)
    manager = RoomManager(log)
    records = _shared_records(settings, manager.log)
    neighbours = _neighbours(place, settings)
    server = SocketServer(
        manager,
        ping_interval_s=settings.ping_interval_s,
        ping_timeout_s=settings.ping_timeout_s,
        unsent_bytes=settings.limits.unsent_bytes,
        origin_allowed=origins.allow,
        budget=budget,
        lives=lives,
        neighbours=neighbours,
        recovery=_connection_recovery(settings, manager, records),
    )
    passwords = Passwords()
    accounts = build_accounts(settings, store, passwords)
    recovery = _add_recovery(app, settings, store, accounts, passwords)
    authenticate, auth = _add_identity(app, settings, accounts, recovery)
    meter = DeliveryMeter(manager, metrics.delivery.observe)
    manager.log.begin(meter)
    publisher = RoomPublisher(manager.log)
    app.cleanup_ctx.append(_closing(store, passwords))
    if isinstance(manager.log, RedisLog):
        app.cleanup_ctx.append(manager.log.carrying)
    if records is not None:
        app.cleanup_ctx.append(records.carrying)
    notify = add_notifications(app, settings, store.database, publisher, accounts.find)
    generator = add_generator(app, settings)
    lookups = Lookups(settings.limits.lookups_per_minute)
    foundation = Foundation(
        store.database, publisher, settings, notify, accounts, generator, lookups, manager.log
    )
    domains = [row.build(foundation) for row in DOMAINS]
    account_limits = build_account_limits(settings.limits)
    account_limits.observe = partial(_note_refusal, metrics)
    gateways = [
        DomainNamespace(domain.commands, authenticate, account_limits) for domain in domains
    ]
    for gateway in gateways:
        server.register_namespace(gateway)
    for domain in domains:
        app.add_routes(domain.rest.routes())
    app.add_routes(UsersRest(accounts, _model(domains, Chat).people).routes())
    app.add_routes(
        ClientConfigRoutes(
            client_config(settings, notify.push.public_key), accounts.admission.mode
        ).routes()
    )
    if settings.development:
        load = partial(load_demo, store.database, publisher, settings, passwords)
        demo = Demo(accounts, load)
        app.add_routes(DemoRoutes(auth, demo.enter).routes())
    app[CATALOGUE] = lambda: _catalogue(app, domains)
    commands = [domain.commands for domain in domains]
    for each in commands:
        each.observe = metrics.command_run
    legacy = LegacyRoutes(
        commands,
        manager,
        origins,
        settings,
        account_limits,
        accounts.resolve_path,
        budget,
        lives,
        others=lambda: processes.others,
    )
    processes.share_report(legacy.census.report)
    sharing = _sharing(log)
    if sharing is not None:
        motivations = _model(domains, Diary).motivation.limit
        per_minute = {"lookups": lookups.limit, "motivations": motivations}
        _share_limits(sharing, rates, auth, account_limits, legacy, per_minute)
        app.cleanup_ctx.append(sharing.carrying)
    app.add_routes(legacy.routes())
    app.router.add_route("*", "/socket.io/", server.handle)
    if isinstance(manager.log, RedisLog):
        manager.log.announce_gaps(partial(_announce_gap, manager, gateways, legacy))
    app[PING] = store.ping
    app.add_routes(
        HealthRoutes(
            store.ping,
            lambda: legacy.connections_at("/ws"),
            partial(_bus_problem, manager.log),
            lambda: processes.problem,
            lambda: stop.is_near,
        ).routes()
    )
    queues = {
        "admission": lambda: admission.waiting,
        "passwords": passwords.waiting,
        "pushes": lambda: getattr(notify.push, "waiting", 0),
    }
    if isinstance(manager.log, RedisLog):
        manager.log.observe = metrics.bus.observe
        queues["bus"] = partial(getattr, manager.log, "waiting")
    shared = manager.log if isinstance(manager.log, RedisLog) else None
    live = Live(server, gateways, legacy, meter, budget, queues, shared)
    metrics.registry.register(live)
    app[METRICS], app[LIVE], app[LIVES] = metrics, live, lives
    app.cleanup_ctx.append(metrics.measuring)
    if is_public(settings):
        app.add_routes(MetricsRoutes(metrics, settings.metrics_token).routes())
    app.add_routes(ContractRoutes(app[CATALOGUE]).routes())
    app.add_routes(web_client.routes(watch=settings.development))
    residents = [domain.model for domain in domains if isinstance(domain.model, Resident)]
    stop.plan(
        first=[resident.stop for resident in residents],
        drains=[server.drain, legacy.drain],
        connections=[server.stop, legacy.close_all, *([neighbours.stop] if neighbours else [])],
        give_up=passwords.close,
    )
    holders: list[ConnectionHolder] = [authenticate, *gateways, *legacy.endpoints]
    holders += [domain.model for domain in domains if isinstance(domain.model, ConnectionHolder)]
    reports, actions = Reports(store.database, now), OperatorActions(store.database, now)
    accounts.join_lifecycle(reports)
    asking = None
    if isinstance(log, RedisLog):
        asking = Asking(log.connect, log.name, log.producer)
        app.cleanup_ctx.append(asking.carrying)
    explainer = Explainer(
        accounts=accounts,
        database=store.database,
        lives=lives,
        meter=meter,
        manager=manager,
        gateways=gateways,
        legacy=legacy,
        process_name=settings.process_name,
        asking=asking,
    )
    work = OperatorWork(
        actions=actions,
        reports=reports,
        accounts=accounts,
        recovery=recovery,
        chat=_model(domains, Chat),
        stories=_model(domains, Stories),
        holders=holders,
        log=manager.log,
        namespaces=[gateway.namespace for gateway in gateways],
        public_url=settings.public_url,
    )
    admin = AdminRoutes(
        OperatorAccess(settings),
        accounts,
        explainer,
        work,
        live=live,
        stuck=StuckOrders(
            store.database, now, makes_refunds=payment_provider(settings).makes_refunds
        ),
        deliveries=Deliveries(store.database, now),
        process_name=settings.process_name,
    )
    app.add_routes(admin.routes())
    app.add_routes(AdminPage().routes())
    watch = RevocationWatch(accounts.revocations, holders, interval_s=settings.revocation_check_s)
    app.cleanup_ctx.append(_migrated(settings, store))
    app.cleanup_ctx.append(_alive(processes))
    app.cleanup_ctx.append(_lifetime([accounts, recovery, keys, reports, actions], domains, watch))
    if neighbours is not None:
        app.cleanup_ctx.append(lambda app: neighbours.serve(server.eio, settings.limits, budget))
    return app


def _neighbours(place: Place | None, settings: Settings) -> Neighbours | None:
    if place is None:
        return None
    return Neighbours(
        place.number, place.count, place.folder, ping_interval_s=settings.ping_interval_s
    )


def _catalogue(app: web.Application, domains: Sequence[Domain]) -> Catalogue:
    """Collect what the documents are made of."""
    endpoints = [endpoint.route for domain in domains for endpoint in domain.rest.endpoints]
    declared: set[tuple[str, str]] = {(route.method, route.path) for route in endpoints}
    return Catalogue(domains, dialects(), handwritten(app, declared))


def build_accounts(settings: Settings, store: Store, passwords: Passwords) -> Accounts:
    """Build the accounts on an open store."""
    lifetime = timedelta(days=settings.refresh_token_days)
    return Accounts(
        store.database,
        passwords,
        refresh_lifetime=lifetime,
        sign_ups=SignUpMode(settings.sign_ups),
    )


def _note_refusal(metrics: Metrics, limit: str, account_id: str | None) -> None:
    metrics.rate_limited(limit)
    log_refusal(limit, account_id)


def _model(domains: Iterable[Domain], kind: type[Wanted]) -> Wanted:
    """Return the model of this kind."""
    return next(domain.model for domain in domains if isinstance(domain.model, kind))


def build_account_limits(limits: Limits) -> AccountLimits:
    """Build what all connections of an account share."""
    return AccountLimits(
        messages_per_s=limits.messages_per_s,
        messages_burst=limits.messages_burst,
        delay_s=limits.message_delay_s,
        connections=limits.connections_per_account,
    )


def _event_log(settings: Settings) -> EventLog:
    """Return the log of events, which keeps them for as long as a client that is away needs.

    A client that is idle is known to have had what came before its last ping that was answered: an
    interval and two timeouts before its connection is given up.
    """
    if settings.redis_url is not None:
        return RedisLog(
            settings.redis_url,
            settings.bus_name,
            verify_tls=settings.redis_tls_verify,
        )
    if settings.recovery_window_s <= 0:
        return MemoryLog()
    return MemoryLog(
        keep_s=settings.recovery_window_s
        + settings.ping_interval_s
        + 2 * settings.ping_timeout_s
        + KEEP_SPARE_S,
        keep_bytes=settings.limits.history_bytes,
    )


def _bus_problem(log: EventLog) -> str | None:
    return log.problem if isinstance(log, RedisLog) else None


def _announce_gap(
    manager: RoomManager,
    gateways: Iterable[DomainNamespace],
    legacy: LegacyRoutes,
    is_certain: bool,
) -> None:
    """Have all who are connected here catch up."""
    for gateway in gateways:
        manager.deliver(gap_notice(gateway.namespace), None)
    legacy.announce_gap(is_certain=is_certain)


def _sharing(log: EventLog) -> Sharing | None:
    return Sharing(log.connect, log.name, log.producer) if isinstance(log, RedisLog) else None


def _share_limits(
    sharing: Sharing,
    rates: RequestRates,
    auth: AuthRoutes,
    account_limits: AccountLimits,
    legacy: LegacyRoutes,
    per_minute: Mapping[str, SharedLimit],
) -> None:
    """Let what an account or an address may do hold for all processes together."""
    limits = {
        "reads": rates.reads,
        "writes": rates.writes,
        "anonymous": rates.anonymous,
        "messages": account_limits.messages,
        **auth.limits,
        **per_minute,
    }
    for name, limit in limits.items():
        sharing.share_use(name, limit)
    sharing.share_counts("connections", account_limits)
    for dialect, endpoint in legacy.items():
        sharing.share_use(f"connects {dialect.path}", endpoint.connects)
        sharing.share_counts(f"connections {dialect.path}", endpoint)


def _shared_records(settings: Settings, log: EventLog) -> SharedRecords | None:
    if not isinstance(log, RedisLog) or settings.recovery_window_s <= 0:
        return None
    return SharedRecords(
        log.connect,
        log.name,
        log.producer,
        window_s=settings.recovery_window_s,
        unheard_s=settings.ping_interval_s + 2 * settings.ping_timeout_s,
    )


def _connection_recovery(
    settings: Settings, manager: RoomManager, records: SharedRecords | None
) -> ConnectionRecovery | None:
    if settings.recovery_window_s <= 0:
        return None
    return ConnectionRecovery(
        manager.log,
        window_s=settings.recovery_window_s,
        # A client in all namespaces may get as much in each, and then has room for as much again.
        replay_bytes=settings.limits.unsent_bytes // (2 * len(DOMAINS)),
        shared=records,
    )


def _add_recovery(
    app: web.Application,
    settings: Settings,
    store: Store,
    accounts: Accounts,
    passwords: Passwords,
) -> Recovery:
    hook = None
    if settings.mail_hook_url:
        hook = MailHook(settings.mail_hook_url, settings.mail_hook_token)

        async def ending(app: web.Application) -> AsyncIterator[None]:
            yield
            await hook.close()

        app.cleanup_ctx.append(ending)
    return Recovery(
        store.database, accounts, passwords, public_url=settings.public_url or "", mailer=hook
    )


def _add_identity(
    app: web.Application, settings: Settings, accounts: Accounts, recovery: Recovery
) -> tuple[IdentityCache, AuthRoutes]:
    own = OwnTokens(settings.jwt_secrets, timedelta(minutes=settings.access_token_minutes))
    firebase = None
    if settings.firebase_project_id:
        firebase = FirebaseTokens(settings.firebase_project_id, settings.firebase_jwks_url)

        async def close(app: web.Application) -> None:
            await firebase.close()

        app.on_cleanup.append(close)
    authenticate = IdentityCache(
        Authenticator(accounts, own, firebase), max_age_s=settings.revocation_check_s
    )
    accounts.revocations.when_appended(authenticate.forget)
    accounts.people.when_changed(authenticate.forget)
    if settings.development:
        app[UNPROVED] = DevelopmentCredentials(accounts)
    app[AUTHENTICATE] = authenticate
    auth = AuthRoutes(accounts, own, settings.limits, recovery)
    app.add_routes(auth.routes())
    return authenticate, auth


def _lifetime(
    common: list[Model], domains: list[Domain], watch: RevocationWatch
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        models: list[Model] = [*common, *(domain.model for domain in domains)]
        for model in models:
            await model.prepare()
        await watch.begin()
        tasks = [asyncio.create_task(_sweep(models)), asyncio.create_task(watch.run())]
        tasks += [
            asyncio.create_task(model.run()) for model in models if isinstance(model, Resident)
        ]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await finishing.drain(DRAIN_S)

    return lifetime


def _alive(processes: Processes) -> Callable[[web.Application], AsyncIterator[None]]:
    async def alive(app: web.Application) -> AsyncIterator[None]:
        await processes.start()
        yield
        await processes.stop()

    return alive


def _migrated(settings: Settings, store: Store) -> Callable[[web.Application], AsyncIterator[None]]:
    async def migrated(app: web.Application) -> AsyncIterator[None]:
        """Bring the database to this release's shapes, or refuse to start on another's."""
        migrations = Migrations(store.database)
        if settings.development or await migrations.is_empty():
            await migrations.apply()
        elif pending := await migrations.pending():
            numbers = ", ".join(str(step.number) for step in pending)
            raise Conflict(
                f"the database lacks migration {numbers}; run `python -m app migrate`.",
                code="migration_pending",
            )
        yield

    return migrated


def _closing(
    store: Store, passwords: Passwords
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def closing(app: web.Application) -> AsyncIterator[None]:
        """Come last, also when starting has failed."""
        yield
        passwords.close()
        try:
            await asyncio.wait_for(store.close(), CLOSE_S)
        except TimeoutError:
            logger.warning("the store did not close in time")

    return closing


async def _sweep(models: Iterable[Model]) -> None:
    while True:
        await asyncio.sleep(SWEEP_INTERVAL_S)
        for model in models:
            try:
                await finishing.finish(model.sweep())
            except Exception:
                logger.exception("a sweep failed; it is tried again in a minute")
