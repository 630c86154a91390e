"""Firebase ID tokens, against a JWKS address with real keys."""

import asyncio
import time
from typing import Any

import jwt
import pytest

from app.identity.firebase import KEYS_GRACE_S, RETRY_S, FirebaseTokens, FirebaseUser
from models.errors import Unauthorized, Unavailable
from tests.app.identity.conftest import Seconds
from tests.app.identity.jwks_server import PROJECT, JwksServer


async def refusal(firebase: FirebaseTokens, token: str) -> str:
    with pytest.raises(Unauthorized) as refused:
        await firebase.verify(token)
    return refused.value.code


async def test_verified(jwks: JwksServer, firebase: FirebaseTokens) -> None:
    """A good token gives uid, verified e-mail, phone, name and its end."""
    exp = int(time.time()) + 100
    token = jwks.token(name="Ann", phone_number="+441632960961", exp=exp)
    assert await firebase.verify(token) == FirebaseUser(
        uid="uid-A",
        verified_email="ann@example.com",
        phone="+441632960961",
        name="Ann",
        expires_at=exp,
    )


@pytest.mark.parametrize("verified", [False, None, "true", 1])
async def test_unverified_email(
    jwks: JwksServer, firebase: FirebaseTokens, verified: object
) -> None:
    """An e-mail that Firebase has not verified is not passed on."""
    user = await firebase.verify(jwks.token(email_verified=verified))
    assert (user.uid, user.verified_email) == ("uid-A", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-project"},
        {"aud": None},
        {"iss": "https://securetoken.google.com/another-project"},
        {"iss": f"https://accounts.google.com/{PROJECT}"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 129},
        {"sub": 7},
        {"exp": None},
        {"iat": None},
        {"iat": int(time.time()) + 86_400},
    ],
)
async def test_wrong_claims(
    jwks: JwksServer, firebase: FirebaseTokens, changes: dict[str, Any]
) -> None:
    """A token for another project, of another issuer, without user or times is refused."""
    assert await refusal(firebase, jwks.token(**changes)) == "token_invalid"


async def test_expired(jwks: JwksServer, firebase: FirebaseTokens) -> None:
    """A token past its end says so."""
    token = jwks.token(iat=int(time.time()) - 7200, exp=int(time.time()) - 3600)
    assert await refusal(firebase, token) == "token_expired"


async def test_foreign_key(jwks: JwksServer, firebase: FirebaseTokens) -> None:
    """A key that is not published signs nothing, under its own name or another's."""
    jwks.add_key("mallory", published=False)
    assert await refusal(firebase, jwks.token("mallory")) == "token_invalid"
    jwks.private["one"], kept = jwks.private["mallory"], jwks.private["one"]
    forged = jwks.token("one")
    jwks.private["one"] = kept
    assert await refusal(firebase, forged) == "token_invalid"
    no_key = jwt.encode({"sub": "uid-A"}, jwks.private["one"], "RS256")
    assert await refusal(firebase, no_key) == "token_invalid"


async def test_one_fetch(jwks: JwksServer, firebase: FirebaseTokens) -> None:
    """The keys are fetched once for many tokens at the same time, and kept."""
    await asyncio.gather(*(firebase.verify(jwks.token()) for _ in range(10)))
    await firebase.verify(jwks.token())
    assert jwks.fetches == 1


async def test_rotation(jwks: JwksServer, firebase: FirebaseTokens, seconds: Seconds) -> None:
    """A new key is found when its first token comes, a withdrawn one ends with the keys' age."""
    await firebase.verify(jwks.token())
    jwks.add_key("two")
    jwks.published.remove("one")
    seconds.now += 31
    assert (await firebase.verify(jwks.token("two"))).uid == "uid-A"
    assert await refusal(firebase, jwks.token("one")) == "token_invalid"
    assert jwks.fetches == 2


async def test_max_age(jwks: JwksServer, firebase: FirebaseTokens, seconds: Seconds) -> None:
    """Keys are fetched again when the age that came with them is over."""
    jwks.cache_control = "public, max-age=600, must-revalidate"
    await firebase.verify(jwks.token())
    seconds.now += 599
    await firebase.verify(jwks.token())
    assert jwks.fetches == 1
    seconds.now += 2
    await firebase.verify(jwks.token())
    assert jwks.fetches == 2


async def test_invented_key_ids(jwks: JwksServer, firebase: FirebaseTokens) -> None:
    """Tokens with invented key ids do not make a fetch each."""
    await firebase.verify(jwks.token())
    jwks.add_key("mallory", published=False)
    for _ in range(20):
        assert await refusal(firebase, jwks.token("mallory")) == "token_invalid"
    assert jwks.fetches == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, None), (200, "<html>"), (200, '{"keys": []}'), (200, '{"keys": [7]}'), (200, "[]")],
)
async def test_keys_away(
    jwks: JwksServer,
    firebase: FirebaseTokens,
    seconds: Seconds,
    status: int,
    body: str | None,
) -> None:
    """While the keys cannot be had a token is neither right nor wrong; afterwards it is right."""
    jwks.status, jwks.body = status, body
    with pytest.raises(Unavailable):
        await firebase.verify(jwks.token())
    jwks.status, jwks.body = 200, None
    seconds.now += RETRY_S
    assert (await firebase.verify(jwks.token())).uid == "uid-A"


async def test_unreachable(jwks: JwksServer, seconds: Seconds) -> None:
    """An address that nobody answers is an outage too."""
    firebase = FirebaseTokens(PROJECT, "http://127.0.0.1:9/keys", seconds)
    with pytest.raises(Unavailable):
        await firebase.verify(jwks.token())
    await firebase.close()


async def test_outage_with_known_keys(
    jwks: JwksServer, firebase: FirebaseTokens, seconds: Seconds
) -> None:
    """Known keys serve for a day past their age while new ones cannot be fetched, no longer."""
    await firebase.verify(jwks.token())
    jwks.status = 503
    seconds.now += 4000
    assert (await firebase.verify(jwks.token())).uid == "uid-A"
    jwks.add_key("two", published=False)
    with pytest.raises(Unavailable):
        await firebase.verify(jwks.token("two"))
    seconds.now += KEYS_GRACE_S
    with pytest.raises(Unavailable):
        await firebase.verify(jwks.token())


async def test_outage_is_waited_for_once(jwks: JwksServer, firebase: FirebaseTokens) -> None:
    """Of many requests that meet an outage together, one asks and all are told."""
    jwks.status = 503
    results = await asyncio.gather(
        *(firebase.verify(jwks.token()) for _ in range(10)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Unavailable] * 10
    assert jwks.fetches == 1


async def test_cancelled_fetch(jwks: JwksServer, firebase: FirebaseTokens) -> None:
    """A request that goes away while it fetches the keys does not make the next token wrong."""
    jwks.hold.clear()
    request = asyncio.ensure_future(firebase.verify(jwks.token()))
    await jwks.asked.wait()
    request.cancel()
    jwks.hold.set()
    assert (await firebase.verify(jwks.token())).uid == "uid-A"
