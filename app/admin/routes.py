"""The REST routes for operators, below `/api/v1/admin`."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from aiohttp import web

from app.admin.access import OperatorAccess
from app.admin.explain import Explainer
from app.admin.schema import Decision, NewInvite, Notice, SignUps, UserQuery
from app.admin.views import (
    ConnectionsView,
    ExplanationView,
    InviteView,
    LinkView,
    OverviewView,
    SignUpModeView,
)
from app.admin.work import OperatorWork
from app.metrics.live import Live
from app.rest.contract import Credential, contract
from app.rest.requests import body, no_query, query
from models.accounts import Account, Accounts, Kind
from models.accounts.admission import SignUpMode
from models.errors import NotFound
from models.identity import Identity
from models.market.deliveries import Deliveries
from models.market.stuck import StuckOrders
from models.market.views import StuckOrderView, UnusableEventView
from models.oversight.actions import ActionView
from models.oversight.reports import ReportForOperatorsView
from models.oversight.schema import REMOVED, ReportsQuery
from models.pages import Page, PageQuery
from models.times import now, to_text

ADMIN = "/api/v1/admin"
ROOMS_SHOWN = 20

_USER = UserQuery()
_NOTICE = Notice()
_SIGN_UPS = SignUps()
_INVITE = NewInvite()
_DECISION = Decision()
_PAGE = PageQuery()
_REPORTS = ReportsQuery()


_for_operators = partial(contract, "operators", credential=Credential.OPERATOR)


class AdminRoutes:
    """Answers operators."""

    def __init__(
        self,
        access: OperatorAccess,
        accounts: Accounts,
        explainer: Explainer,
        work: OperatorWork,
        *,
        live: Live,
        stuck: StuckOrders,
        deliveries: Deliveries,
        process_name: str,
    ) -> None:
        self._operator = access.operator
        self._accounts = accounts
        self._explainer = explainer
        self._work = work
        self._live = live
        self._stuck = stuck
        self._deliveries = deliveries
        self._process_name = process_name

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be added to the application."""
        user = f"{ADMIN}/users/{{user_id}}"
        return [
            web.get(f"{ADMIN}/overview", self.overview),
            web.get(f"{ADMIN}/connections", self.connections),
            web.get(f"{ADMIN}/explain", self.explain),
            web.post(f"{user}/kick", self.kick),
            web.post(f"{user}/disable", self.disable),
            web.post(f"{user}/enable", self.enable),
            web.post(f"{user}/reset-link", self.reset_link),
            web.post(f"{ADMIN}/invites", self.invite),
            web.put(f"{ADMIN}/sign-ups", self.sign_ups),
            web.post(f"{ADMIN}/notices", self.notice),
            web.get(f"{ADMIN}/webhooks", self.webhooks),
            web.get(f"{ADMIN}/orders", self.orders),
            web.get(f"{ADMIN}/reports", self.reports),
            web.post(f"{ADMIN}/reports/{{report_id}}/decide", self.decide),
            web.get(f"{ADMIN}/actions", self.actions),
        ]

    # What is there.

    @_for_operators({200: OverviewView})
    async def overview(self, request: web.Request) -> web.Response:
        """What this process does: connections, namespaces, counters, the largest rooms."""
        await self._operator(request)
        await no_query(request)
        values = _values(self._live)
        manager = self._live.server.manager
        overview: OverviewView = {
            "process": self._process_name,
            "at": to_text(now()),
            "connections": values["realtime_connections"],
            "namespaces": values["realtime_namespace_clients"],
            "received": sum(values["realtime_messages_received_total"].values()),
            "sent": sum(values["realtime_messages_sent_total"].values()),
            "events": sum(values["realtime_events_total"].values()),
            "held_bytes": sum(values["realtime_held_bytes"].values()),
            "queues": values["queue_depth"],
            "rooms": [
                {"namespace": namespace, "room": room, "members": members}
                for namespace, room, members in manager.largest_rooms(ROOMS_SHOWN)
            ],
            "sign_ups": (await self._accounts.admission.mode()).value,
        }
        return web.json_response(overview)

    @_for_operators({200: ConnectionsView})
    async def connections(self, request: web.Request) -> web.Response:
        """The latest connections of all processes: whose, by which entry point, since when."""
        await self._operator(request)
        await no_query(request)
        return web.json_response(await self._explainer.connections())

    @_for_operators({200: ExplanationView}, query=_USER, errors=("account_not_found",))
    async def explain(self, request: web.Request) -> web.Response:
        """An account's sessions, connections, rooms, and why its last events did not arrive."""
        await self._operator(request)
        account = await self._account((await query(request, _USER))["user"])
        return web.json_response(await self._explainer.explain(account))

    @_for_operators({200: Page[UnusableEventView]}, query=_PAGE)
    async def webhooks(self, request: web.Request) -> web.Response:
        """A page of payment events that could not be used, newest first."""
        return await self._page(request, self._deliveries.list_unusable)

    @_for_operators({200: Page[StuckOrderView]}, query=_PAGE)
    async def orders(self, request: web.Request) -> web.Response:
        """A page of orders that are stuck, with why, newest first."""
        return await self._page(request, self._stuck.page)

    @_for_operators({200: Page[ReportForOperatorsView]}, query=_REPORTS)
    async def reports(self, request: web.Request) -> web.Response:
        """A page of the reports with a status, newest first."""
        await self._operator(request)
        return web.json_response(await self._work.reports.page(**await query(request, _REPORTS)))

    @_for_operators({200: Page[ActionView]}, query=_PAGE)
    async def actions(self, request: web.Request) -> web.Response:
        """A page of what operators have done, newest first."""
        return await self._page(request, self._work.actions.page)

    # What can be done.

    @_for_operators({204: None}, errors=("account_not_found",))
    async def kick(self, request: web.Request) -> web.Response:
        """End an account's sessions and connections; it may log in again."""
        return await self._do(request, self._work.kick)

    @_for_operators({204: None}, errors=("account_not_found", "own_account"))
    async def disable(self, request: web.Request) -> web.Response:
        """Refuse an account everywhere."""
        return await self._do(request, self._work.disable)

    @_for_operators({204: None}, errors=("account_not_found",))
    async def enable(self, request: web.Request) -> web.Response:
        """Let a disabled account in again."""
        return await self._do(request, self._work.enable)

    @_for_operators({200: LinkView}, errors=("account_not_found", "public_url_missing"))
    async def reset_link(self, request: web.Request) -> web.Response:
        """A one-time link that sets an account's password."""
        operator = await self._operator(request)
        await no_query(request)
        account = await self._account(request.match_info["user_id"])
        answer: LinkView = {"link": await self._work.reset_link(operator, account)}
        return web.json_response(answer)

    @_for_operators({201: InviteView}, body=_INVITE)
    async def invite(self, request: web.Request) -> web.Response:
        """The code of a new invitation."""
        operator = await self._operator(request)
        uses = (await body(request, _INVITE))["uses"]
        answer: InviteView = {"code": await self._work.invite(operator, uses)}
        return web.json_response(answer, status=201)

    @_for_operators({200: SignUpModeView}, body=_SIGN_UPS)
    async def sign_ups(self, request: web.Request) -> web.Response:
        """Decide who may make an account, in every process."""
        operator = await self._operator(request)
        mode = SignUpMode((await body(request, _SIGN_UPS))["mode"])
        await self._work.switch_sign_ups(operator, mode)
        answer: SignUpModeView = {"mode": mode.value}
        return web.json_response(answer)

    @_for_operators({204: None}, body=_NOTICE)
    async def notice(self, request: web.Request) -> web.Response:
        """Send a notice to all Socket.IO clients: the event `server.notice`."""
        operator = await self._operator(request)
        await self._work.send_notice(operator, (await body(request, _NOTICE))["text"])
        return web.Response(status=204)

    @_for_operators({200: ReportForOperatorsView}, body=_DECISION, errors=("report_not_found",))
    async def decide(self, request: web.Request) -> web.Response:
        """Remove what was reported, or dismiss the reports about it."""
        operator = await self._operator(request)
        status = (await body(request, _DECISION))["status"]
        report_id = request.match_info["report_id"]
        decided = await self._work.decide(operator, report_id, remove=status == REMOVED)
        return web.json_response(decided)

    async def _do(
        self, request: web.Request, step: Callable[[Identity, Account], Awaitable[None]]
    ) -> web.Response:
        operator = await self._operator(request)
        await no_query(request)
        await step(operator, await self._account(request.match_info["user_id"]))
        return web.Response(status=204)

    async def _page(
        self, request: web.Request, page: Callable[..., Awaitable[Page[Any]]]
    ) -> web.Response:
        await self._operator(request)
        return web.json_response(await page(**await query(request, _PAGE)))

    async def _account(self, name: str) -> Account:
        for kind in (Kind.EMAIL,) if "@" in name else (Kind.ID, Kind.PUBLIC_ID):
            found = await self._accounts.resolve(kind, name)
            if found is not None:
                return found
        raise NotFound("There is no such account.", code="account_not_found")


def _values(live: Live) -> Mapping[str, dict[str, int]]:
    """Return the samples of this moment: by name, then by their labels."""
    found: dict[str, dict[str, int]] = {}
    for family in live.collect():
        for sample in family.samples:
            found.setdefault(sample.name, {})[" ".join(sample.labels.values())] = int(sample.value)
    return found
