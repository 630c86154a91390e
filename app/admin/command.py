"""`python -m app explain USER`: asks the running server, and prints what it answers."""

import argparse
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import aiohttp

from app.admin.routes import ADMIN
from app.identity.own_jwt import OwnTokens
from app.operators import named_account, opened, reported, say
from app.settings import Settings
from models.accounts import Account
from models.errors import Forbidden, NotFound, Unavailable

TOKEN_LIFETIME = timedelta(minutes=1)
ANSWER_S = 10.0


def add_explain_command(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add `explain`."""
    explain = subparsers.add_parser(
        "explain",
        help="say where a user is connected, and why its last events did or did not arrive",
        description="Ask the running server about a user: sessions, connections, rooms, the last "
        "events and why one did not arrive. With REDIS_URL all processes "
        "are asked; else name another one's address with --url. The command makes itself a token "
        "of the first of OPERATOR_ACCOUNTS, good for a minute.",
    )
    explain.add_argument("account", metavar="USER", help="e-mail or id of the account")
    explain.add_argument("--url", help="the server (default: http://localhost:PORT)")
    explain.set_defaults(run=reported(explain_user))


async def explain_user(settings: Settings, args: argparse.Namespace) -> None:
    """Print the answer of the running server."""
    async with opened(settings) as (_, accounts, _):
        account = await named_account(accounts, args.account)
        if settings.operator_accounts:
            operator = await accounts.find(settings.operator_accounts[0])
            if operator is None:
                raise NotFound(
                    "The first of OPERATOR_ACCOUNTS is no account.", code="account_not_found"
                )
        elif settings.development:
            operator = account
        else:
            raise Forbidden("OPERATOR_ACCOUNTS is not set.", code="not_an_operator")
    url = (args.url or f"http://localhost:{settings.port}").rstrip("/")
    for line in lines_of(await _asked(settings, url, operator, account)):
        say(line)


async def _asked(
    settings: Settings, url: str, operator: Account, account: Account
) -> dict[str, Any]:
    token = OwnTokens(settings.jwt_secrets, TOKEN_LIFETIME).issue(operator)
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(
                f"{url}{ADMIN}/explain",
                params={"user": account.id},
                headers={"Authorization": f"Bearer {token}"},
            ) as response,
        ):
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status != 200:
                raise Unavailable(f"The server answers {response.status}: {answer.get('detail')}")
            return answer
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        name = type(error).__name__
        raise Unavailable(f"There is no answer from a server at {url} ({name}).") from None


def lines_of(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield an answer for people to read."""
    account = answer["account"]
    shown = account["email"] or account["name"] or "no e-mail"
    yield f"Account {account['id']} ({shown}){', DISABLED' if account['disabled'] else ''}"
    if answer["silent_processes"]:
        yield f"{answer['silent_processes']} processes have not answered: what they know is missing"
    yield f"Sessions: {len(answer['sessions'])}"
    for session in answer["sessions"]:
        yield f"  {session['id']}  {session['client'] or '-'}  last used {session['last_used_at']}"
    yield f"Connections: {len(answer['connections'])}"
    for connection in answer["connections"]:
        yield (
            f"  {connection['door']}  since {connection['opened_at']}  id {connection['id']}"
            f"  at {connection['process']}"
        )
        for where, rooms in connection["rooms"].items():
            yield f"    {where}: {', '.join(rooms) or 'in no room'}"
    yield f"Ended: {len(answer['ended'])}"
    for life in answer["ended"]:
        reason = f" ({life['reason']})" if life["reason"] else ""
        yield f"  {life['closed_at']}  {life['door']}  {life['code']}{reason}  at {life['process']}"
    if answer["muted"]:
        yield f"Muted: {', '.join(answer['muted'])}"
    for one in answer["notifications"]:
        if not one["told"]:
            yield f"  {one['created_at']}  notification {one['id']} {one['type']}: {one['why']}"
    yield f"Events: {len(answer['events'])}, the latest first"
    for event in answer["events"]:
        about = f" {event['about']}" if event["about"] else ""
        yield f"  {event['at']}  {event['namespace']} {event['event']}{about}"
        if event["told"]:
            yield f"    sent to: {', '.join(event['told'])}"
        for reason in event["missed"]:
            yield f"    not sent: {reason}"
