"""Passwords changed and reset, e-mails verified, sign-up closed: over HTTP, on a real server."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.main import create_app
from models.accounts.admission import Admission, SignUpMode
from models.accounts.links import LIFETIMES, LinkKind
from models.accounts.recovery import Recovery
from models.errors import Forbidden
from models.times import now
from tests.app.mail_service import MailService

V1 = "/api/v1/auth"
ANN = {"email": "ann@example.com", "password": "password123"}
NEW = "another password"


@pytest.fixture
async def mails(listening):
    service = MailService()
    service.url = await listening.start(service.app())
    return service


@pytest.fixture
async def server(serve, mails):
    return await serve(
        mail_hook_url=f"{mails.url}/send",
        mail_hook_token="hook token",
        public_url="https://chat.example.com",
    )


@pytest.fixture
async def ann(server, mails):
    """Ann's first login; the mail that verifies her address is out."""
    status, answer = await server.call(None, "POST", "/signup", ANN)
    assert status == 201
    answer["verification"] = await mails.mail()
    return answer


async def log_in(server, password=ANN["password"]):
    return await server.call(None, "POST", "/login", ANN | {"password": password})


async def code_of(call):
    status, problem = await call
    return status, problem["code"]


async def test_change_password(server, ann):
    """The present password is needed; other sessions end, this one goes on."""
    _, other = await log_in(server)
    change = {"current_password": "wrong horse", "new_password": NEW}
    path = f"{V1}/password"
    assert await code_of(server.call(ann["token"], "POST", path, change)) == (403, "password_wrong")
    short = {"current_password": ANN["password"], "new_password": "short"}
    assert await code_of(server.call(ann["token"], "POST", path, short)) == (422, "invalid")
    change["current_password"] = ANN["password"]
    assert (await server.call(None, "POST", path, change))[0] == 401
    assert (await server.call(ann["token"], "POST", path, change))[0] == 204
    assert (await server.call(ann["token"], "GET", f"{V1}/me"))[0] == 200
    refresh = {"refresh_token": ann["refresh_token"]}
    assert (await server.call(None, "POST", f"{V1}/refresh", refresh))[0] == 200
    ended = await code_of(server.call(other["token"], "GET", f"{V1}/me"))
    assert ended == (401, "session_ended")
    assert (await log_in(server))[0] == 401
    assert (await log_in(server, NEW))[0] == 200


async def test_the_present_password_cannot_be_guessed(serve):
    """Guesses at the present password count as those at a login do."""
    server = await serve(login_attempts_per_minute=3)
    _, answer = await server.call(None, "POST", "/signup", ANN)
    guess = {"current_password": "wrong horse", "new_password": NEW}
    statuses = [
        (await server.call(answer["token"], "POST", f"{V1}/password", guess))[0] for _ in range(4)
    ]
    assert statuses == [403, 403, 403, 429]
    assert (await log_in(server))[0] == 429


async def test_forgotten_password(server, ann, mails, store):
    """The link sets a new password once; it ends all sessions, pushes and other links."""
    subscriptions = store.database["push_subscriptions"]
    await subscriptions.insert_one({"_id": "x", "account_id": ann["user"]["id"]})
    links = []
    for _ in range(2):
        asked = await server.call(None, "POST", f"{V1}/password/forgot", {"email": ANN["email"]})
        assert asked == (202, {})
        links.append(await mails.mail())
    mail = links[0]
    assert (mail["kind"], mail["to"]) == ("reset_password", ANN["email"])
    assert mail["link"] == f"https://chat.example.com/#/reset/{mail['token']}"
    assert mails.requests[-1].headers["Authorization"] == "Bearer hook token"
    stored = str(await store.database["account_links"].find({}).to_list(None))
    assert mail["token"] not in stored
    path = f"{V1}/password/reset"
    short = {"token": mail["token"], "password": "short"}
    assert await code_of(server.call(None, "POST", path, short)) == (422, "invalid")
    reset = {"token": mail["token"], "password": NEW}
    answers = await asyncio.gather(*(server.call(None, "POST", path, reset) for _ in range(4)))
    assert sorted(status for status, _ in answers) == [204, 403, 403, 403]
    assert {answer["code"] for status, answer in answers if status == 403} == {"link_invalid"}
    other = {"token": links[1]["token"], "password": "third password"}
    assert await code_of(server.call(None, "POST", path, other)) == (403, "link_invalid")
    ended = await code_of(server.call(ann["token"], "GET", f"{V1}/me"))
    assert ended == (401, "session_ended")
    assert await subscriptions.find({}).to_list(None) == []
    assert (await log_in(server))[0] == 401
    status, answer = await log_in(server, NEW)
    assert status == 200
    assert answer["user"]["email_verified_at"] is not None


async def test_forgetting_alike(server, ann, mails):
    """Known and unknown e-mails have the same answer, and the same limit."""
    answers = {}
    for email in ("ann@example.com", "nobody@example.com", "no address"):
        asked = [
            await server.call(None, "POST", f"{V1}/password/forgot", {"email": email})
            for _ in range(6)
        ]
        answers[email] = [(status, answer.get("code")) for status, answer in asked]
    # One of the five mails an hour to Ann has been her verification.
    limited = (429, "too_many_requests")
    assert answers["nobody@example.com"] == [(202, None)] * 5 + [limited]
    assert answers["ann@example.com"] == [(202, None)] * 4 + [limited] * 2
    assert answers["no address"] == answers["nobody@example.com"]
    for _ in range(4):
        assert (await mails.mail())["to"] == "ann@example.com"
    assert mails.waiting == 0


async def test_verified_email(server, ann, mails):
    """The link of the first mail verifies the address, once; it resets no password."""
    token = ann["verification"]["token"]
    assert ann["verification"]["kind"] == "verify_email"
    assert ann["user"]["email_verified_at"] is None
    reset = {"token": token, "password": NEW}
    refused = await code_of(server.call(None, "POST", f"{V1}/password/reset", reset))
    assert refused == (403, "link_invalid")
    path = f"{V1}/email/verify"
    assert (await server.call(None, "POST", path, {"token": token}))[0] == 204
    again = await code_of(server.call(None, "POST", path, {"token": token}))
    assert again == (403, "link_invalid")
    assert (await server.call(ann["token"], "GET", f"{V1}/me"))[1]["email_verified_at"]
    assert (await server.call(ann["token"], "POST", f"{V1}/email/send-verification"))[0] == 202
    assert (await server.call(None, "POST", f"{V1}/email/send-verification"))[0] == 401
    assert mails.waiting == 0


async def test_without_a_hook(server, serve):
    """A server that sends no mails says so, for every e-mail alike."""
    server = await serve()
    for email in ("ann@example.com", "nobody@example.com"):
        asked = server.call(None, "POST", f"{V1}/password/forgot", {"email": email})
        assert await code_of(asked) == (503, "mail_not_available")
    assert (await server.call(None, "POST", "/signup", ANN))[0] == 201


@pytest.fixture
def recovery(database, accounts, passwords, clock):
    return Recovery(
        database, accounts, passwords, public_url="https://chat.example.com", clock=clock
    )


async def test_links_end(recovery, accounts, clock):
    """A link ends with its time, with the account's credentials, and while it is disabled."""
    account = await accounts.sign_up("ann@example.com", "password123", phone="+441632960961")

    async def token():
        url = await recovery.link(LinkKind.RESET_PASSWORD, await accounts.get(account.id))
        return url.rpartition("/")[2]

    async def refused(token):
        with pytest.raises(Forbidden) as refusal:
            await recovery.reset(token, NEW)
        return refusal.value.code

    late = await token()
    clock.move(LIFETIMES[LinkKind.RESET_PASSWORD])
    assert await refused(late) == "link_invalid"
    earlier = await token()
    await accounts.disable(account.id)
    assert await refused(earlier) == "account_disabled"
    await accounts.enable(account.id)
    assert await refused(earlier) == "link_invalid"
    by_operator = await recovery.reset(await token(), NEW)
    # The operator's link proves no e-mail, and so takes nothing from the account.
    assert by_operator.email_verified_at is None
    assert by_operator.phone == "+441632960961"
    await recovery.sweep()


async def test_a_squatters_phone_goes(recovery, accounts, clock):
    """Resetting by mail what was never verified leaves no phone by which another comes in."""
    account = await accounts.sign_up("ann@example.com", "password123", phone="+441632960961")
    link = await recovery.links.make(LinkKind.RESET_PASSWORD, account, mailed=True)
    reset = await recovery.reset(link.token, NEW)
    assert (reset.phone, reset.email_verified_at) == (None, clock())
    assert await accounts.find_by_phone("+441632960961") is None
    assert (await accounts.log_in("ann@example.com", NEW)).id == account.id


async def test_a_login_under_way_does_not_outlive_a_change(recovery, accounts):
    """A login that checked the former password opens no session after the change."""
    account = await accounts.sign_up("ann@example.com", "password123")
    before = await accounts.log_in("ann@example.com", "password123")
    await recovery.change_password(
        account.id, None, current_password="password123", new_password=NEW
    )
    with pytest.raises(Exception, match="Log in again"):
        await accounts.open_session(before)
    assert await accounts.sessions.of(account.id) == []


class TestSignUpModes:
    """`SIGNUP` holds by every transport that makes accounts."""

    async def test_closed(self, serve, listening):
        """No door makes an account, and each says why; known people come in as before."""
        server = await serve(sign_ups="closed")
        known = await server.account("known")
        refused = (403, "signup_closed")
        assert await code_of(server.call(None, "POST", "/signup", ANN)) == refused
        for headers in ({"User-Email": "new@example.com"}, {"Authorization": "Bearer 0912345678"}):
            url = f"{server.url}/api/v1/conversations"
            async with listening.http.get(url, headers=headers) as response:
                assert (response.status, (await response.json())["code"]) == refused
        for path in ("/ws/0912345678?token=0912345678", "/api/v1/ws/4711"):
            assert await (await server.open_at(path)).closed() == 4001
        with pytest.raises(Exception, match="403"):
            await server.open_at("/api/v1/ws", headers={"User-Email": "new@example.com"})
        async with listening.http.get(url, headers={"User-Email": known.email}) as response:
            assert response.status == 200
        assert len(await server.accounts.list_after()) == 1

    async def test_firebase(self, accounts, database, clock, passwords):
        """A Firebase user without an account is refused, and takes nothing from anybody."""
        squatter = await accounts.find_or_create_by_phone("+441632960961")
        closed = type(accounts)(database, passwords, clock=clock, sign_ups=SignUpMode.CLOSED)
        with pytest.raises(Forbidden):
            await closed.find_or_create_by_firebase("uid-A", verified_phone="+441632960961")
        assert await accounts.get(squatter.id) == squatter
        linked = await accounts.find_or_create_by_firebase("uid-B")
        assert await closed.find_or_create_by_firebase("uid-B") == linked

    async def test_invitations(self, serve):
        """An invitation makes as many accounts as it says, also when they come at once."""
        server = await serve(sign_ups="invite")
        code = await server.accounts.admission.invite(uses=2, lifetime=timedelta(days=1))

        def sign_up(name, **invite):
            body = ANN | {"email": f"{name}@example.com"} | invite
            return server.call(None, "POST", "/signup", body)

        assert await code_of(sign_up("a")) == (403, "invite_required")
        assert await code_of(sign_up("a", invite="guess")) == (403, "invite_invalid")
        assert await code_of(sign_up("a", invite="x" * 65)) == (422, "invalid")
        assert (await sign_up("a", invite=code))[0] == 201
        assert await code_of(sign_up("a", invite=code)) == (409, "email_taken")
        at_once = await asyncio.gather(*(sign_up(name, invite=code) for name in "bcde"))
        assert sorted(status for status, _ in at_once) == [201, 403, 403, 403]
        assert await code_of(sign_up("f", invite=code)) == (403, "invite_invalid")

    async def test_a_use_that_failed_is_given_back(self, database, accounts, passwords, clock):
        """Twenty sign-ups at once with one e-mail use up one use."""
        invited = type(accounts)(database, passwords, clock=clock, sign_ups=SignUpMode.INVITE)
        code = await invited.admission.invite(uses=20, lifetime=timedelta(days=1))
        await asyncio.gather(
            *(invited.sign_up("ann@example.com", "password123", invite=code) for _ in range(20)),
            return_exceptions=True,
        )
        (left,) = await invited.admission.invites()
        assert (left.uses_left, left.uses) == (19, 20)
        clock.move(timedelta(days=1))
        with pytest.raises(Forbidden) as refusal:
            await invited.sign_up("bob@example.com", "password123", invite=code)
        assert refusal.value.code == "invite_invalid"
        await invited.sweep()
        assert await database["invites"].find({}).to_list(None) == []


async def test_modes(database):
    """Operators' own commands make accounts in every mode."""
    await Admission(database, SignUpMode.OPEN, now).check()


async def test_settings_reach_the_application(settings):
    """A mode that is not one is refused when the application is built."""
    with pytest.raises(ValueError, match="nobody"):
        await create_app(replace(settings, sign_ups="nobody"))


NEW_EMAIL = "ann@new.example.org"


async def ask_for(server, token, email=NEW_EMAIL, password=ANN["password"]):
    body = {"email": email, "password": password}
    status, answer = await server.call(token, "POST", f"{V1}/email", body)
    return status, answer.get("code")


async def next_mails(mails, count=2):
    """The next mails, by their kind."""
    return {mail["kind"]: mail for mail in [await mails.mail() for _ in range(count)]}


async def test_another_email(server, ann, mails):
    """The new address is the account's once its link is used; the former one is told of both."""
    token = ann["token"]
    assert await ask_for(server, token) == (202, None)
    sent = await next_mails(mails)
    link, notice = sent["change_email"], sent["email_change_requested"]
    assert (link["to"], notice["to"], notice["new_email"]) == (NEW_EMAIL, ANN["email"], NEW_EMAIL)
    assert link["link"] == f"https://chat.example.com/#/verify/{link['token']}"
    assert notice.keys().isdisjoint({"link", "token"})
    assert (await server.call(token, "GET", f"{V1}/me"))[1]["email"] == ANN["email"]
    assert (await log_in(server))[0] == 200
    verify = {"token": link["token"]}
    answers = await asyncio.gather(
        *(server.call(None, "POST", f"{V1}/email/verify", verify) for _ in range(4))
    )
    assert sorted(status for status, _ in answers) == [204, 403, 403, 403]
    changed = await mails.mail()
    assert (changed["kind"], changed["to"]) == ("email_changed", ANN["email"])
    _, account = await server.call(token, "GET", f"{V1}/me")
    assert (account["email"], account["email_verified_at"] is None) == (NEW_EMAIL, False)
    assert (await log_in(server))[0] == 401
    status, _ = await server.call(None, "POST", "/login", ANN | {"email": NEW_EMAIL})
    assert status == 200
    # The former address is free.
    assert (await server.call(None, "POST", "/signup", ANN))[0] == 201


async def test_an_email_that_cannot_be_asked_for(server, ann, mails):
    """The password is needed, and an address that another account has proved stays there."""
    token = ann["token"]
    assert (await server.call(None, "POST", f"{V1}/email", {}))[0] == 401
    assert await ask_for(server, token, password="wrong horse") == (403, "password_wrong")
    for email in ("no address", "ann\u200b@example.com", '"ann"@example.com', "", None, 7):
        assert await ask_for(server, token, email=email) == (422, "invalid")
    assert await ask_for(server, token, email=ANN["email"]) == (409, "email_unchanged")
    await server.call(None, "POST", "/signup", ANN | {"email": NEW_EMAIL})
    bob = await mails.mail()
    assert (await server.call(None, "POST", f"{V1}/email/verify", {"token": bob["token"]}))[
        0
    ] == 204
    assert await ask_for(server, token) == (409, "email_taken")
    assert mails.waiting == 0


async def test_an_email_that_somebody_only_typed(server, ann, mails):
    """Who proves an address gets it from an account that never did, which keeps the rest."""
    squat = ANN | {"email": NEW_EMAIL, "password": "another password"}
    _, squatter = await server.call(None, "POST", "/signup", squat)
    await mails.mail()
    assert await ask_for(server, ann["token"]) == (202, None)
    link = (await next_mails(mails))["change_email"]
    verify = {"token": link["token"]}
    assert (await server.call(None, "POST", f"{V1}/email/verify", verify))[0] == 204
    assert (await server.call(ann["token"], "GET", f"{V1}/me"))[1]["email"] == NEW_EMAIL
    assert (await server.call(squatter["token"], "GET", f"{V1}/me"))[0] == 401
    account = await server.accounts.get(squatter["user"]["id"])
    assert (account.email, account.disabled) == (None, False)


async def test_a_changed_password_ends_the_change_of_an_email(server, ann, mails):
    """A link that was asked for with the former password changes nothing any more."""
    await ask_for(server, ann["token"])
    link = (await next_mails(mails))["change_email"]
    change = {"current_password": ANN["password"], "new_password": NEW}
    assert (await server.call(ann["token"], "POST", f"{V1}/password", change))[0] == 204
    used = server.call(None, "POST", f"{V1}/email/verify", {"token": link["token"]})
    assert await code_of(used) == (403, "link_invalid")
    assert (await server.call(ann["token"], "GET", f"{V1}/me"))[1]["email"] == ANN["email"]


async def test_the_same_email_in_other_letters(server, ann, mails):
    """An own address in another spelling is one's own, and nobody else's."""
    for email in ("Ann@example.com", "ann@example.com"):
        assert await ask_for(server, ann["token"], email) == (202, None)
        link = (await next_mails(mails))["change_email"]
        verify = {"token": link["token"]}
        assert (await server.call(None, "POST", f"{V1}/email/verify", verify))[0] == 204
        assert (await mails.mail())["kind"] == "email_changed"
        assert (await server.call(ann["token"], "GET", f"{V1}/me"))[1]["email"] == email
    taken = ANN | {"email": "ANN@example.com"}
    assert await code_of(server.call(None, "POST", "/signup", taken)) == (409, "email_taken")
