"""One way from any token to an identity."""

import logging
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from app.identity.authenticator import Authenticator
from app.identity.firebase import FirebaseTokens
from app.identity.own_jwt import OwnTokens
from models.accounts import Accounts
from models.errors import Forbidden, Unauthorized, Unavailable
from models.identity import Identity
from tests.app.identity.jwks_server import JwksServer

SECRET = "a secret of this test, long enough for HS256"


@pytest.fixture
def own() -> OwnTokens:
    return OwnTokens(SECRET, timedelta(hours=1))


@pytest.fixture
def authenticate(accounts: Accounts, own: OwnTokens, firebase: FirebaseTokens) -> Authenticator:
    return Authenticator(accounts, own, firebase)


async def refusal(authenticate: Authenticator, token: str | None) -> str:
    with pytest.raises(Unauthorized) as refused:
        await authenticate(token)
    return refused.value.code


async def test_own(authenticate: Authenticator, accounts: Accounts, own: OwnTokens) -> None:
    """Our token gives its account with session and end."""
    account = await accounts.sign_up("ann@example.com", "password123", "Ann")
    session = await accounts.sessions.open(account.id)
    token = own.issue(account, session.id)
    assert await authenticate(token) == Identity(
        account_id="1",
        email="ann@example.com",
        public_id="1",
        name="Ann",
        session_id=session.id,
        expires_at=jwt.decode(token, SECRET, algorithms=["HS256"])["exp"],
    )


async def test_without_session(
    authenticate: Authenticator, accounts: Accounts, own: OwnTokens
) -> None:
    """A token that names no session, such as an operator's, is good until it ends."""
    account = await accounts.sign_up("ann@example.com", "password123")
    assert (await authenticate(own.issue(account))).session_id is None


async def test_ended_session(
    authenticate: Authenticator, accounts: Accounts, own: OwnTokens
) -> None:
    """A token ends with its session, and one of somebody else's session never begins."""
    ann = await accounts.sign_up("ann@example.com", "password123")
    bob = await accounts.sign_up("bob@example.com", "password123")
    session = await accounts.sessions.open(ann.id)
    assert await refusal(authenticate, own.issue(bob, session.id)) == "session_ended"
    await accounts.sessions.revoke(session.id)
    assert await refusal(authenticate, own.issue(ann, session.id)) == "session_ended"


async def test_disabled(
    authenticate: Authenticator, accounts: Accounts, own: OwnTokens, jwks: JwksServer
) -> None:
    """A disabled account is refused with every kind of token, by name."""
    account = (await authenticate(jwks.token())).account_id
    session = await accounts.sessions.open(account)
    found = await accounts.disable(account)
    for token in (own.issue(found), own.issue(found, session.id), jwks.token()):
        with pytest.raises(Forbidden) as refused:
            await authenticate(token)
        assert refused.value.code == "account_disabled"


async def test_unknown_account(authenticate: Authenticator) -> None:
    """A well-signed token of an account that does not exist is refused."""
    claims = {"sub": "99", "exp": datetime.now(UTC) + timedelta(hours=1)}
    assert await refusal(authenticate, jwt.encode(claims, SECRET, "HS256")) == "token_invalid"


async def test_firebase(authenticate: Authenticator, accounts: Accounts, jwks: JwksServer) -> None:
    """A Firebase token seen first makes its account, which later ones find."""
    first = await authenticate(jwks.token())
    again = await authenticate(jwks.token(name="Ann", email="other@example.com"))
    assert (first.account_id, first.public_id, first.email) == ("1", "uid-A", "ann@example.com")
    assert (again.account_id, again.email) == ("1", "ann@example.com")
    assert len(await accounts.list_after()) == 1


async def test_firebase_not_configured(
    accounts: Accounts, own: OwnTokens, jwks: JwksServer
) -> None:
    """Where Firebase is not configured its tokens are nothing."""
    assert await refusal(Authenticator(accounts, own), jwks.token()) == "token_invalid"
    assert await accounts.list_after() == []
    assert jwks.fetches == 0


@pytest.mark.parametrize("token", [None, ""])
async def test_missing(authenticate: Authenticator, token: str | None) -> None:
    """No token is its own answer."""
    assert await refusal(authenticate, token) == "token_missing"


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "🎉.🎉.🎉",
        "." * 20_000,
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA",
        "eyJhbGciOlsiSFMyNTYiXX0.eyJzdWIiOiIxIn0.AAAA",
        "bnVsbA.bnVsbA.bnVsbA",
        "W10.W10.W10",
    ],
)
async def test_garbage(authenticate: Authenticator, token: str) -> None:
    """What is no token of ours is refused without an error of another kind."""
    assert await refusal(authenticate, token) == "token_invalid"


async def test_never_logged(
    authenticate: Authenticator,
    accounts: Accounts,
    own: OwnTokens,
    jwks: JwksServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No token, right or wrong, appears in the log."""
    caplog.set_level(logging.DEBUG)
    account = await accounts.sign_up("ann@example.com", "password123")
    right, wrong = own.issue(account), jwks.token()
    await authenticate(right)
    jwks.status = 500
    with pytest.raises(Unavailable):
        await authenticate(wrong)
    assert "cannot fetch signing keys" in caplog.text
    for part in (right + "." + wrong).split("."):
        assert part not in caplog.text
