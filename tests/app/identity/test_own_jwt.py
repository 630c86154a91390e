"""Our own access tokens."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from app.identity.own_jwt import OwnTokens
from models.accounts import Account
from models.errors import Unauthorized

SECRET = "a secret of this test, long enough for HS256 and even for HS512 signatures"
ACCOUNT = Account(
    id="7",
    email="ann@example.com",
    name=None,
    phone=None,
    firebase_uid=None,
    public_id="7",
    disabled=False,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
TOKENS = OwnTokens(SECRET, timedelta(hours=1))


def sign(claims: dict[str, Any], *, algorithm: str = "HS256", key: Any = SECRET) -> str:
    return jwt.encode({"exp": time.time() + 60} | claims, key, algorithm)


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def refusal(token: str) -> str:
    with pytest.raises(Unauthorized) as refused:
        TOKENS.verify(token)
    return refused.value.code


def test_round_trip() -> None:
    """A token says account, e-mail and session, ends in time and is never the same twice."""
    before = int(time.time())
    token = TOKENS.issue(ACCOUNT, "session")
    claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    assert claims["sub"] == "7"
    assert claims["email"] == "ann@example.com"
    assert claims["sid"] == "session"
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] == claims["iat"] + 3600 == claims["iat"] + TOKENS.lifetime_s
    verified = TOKENS.verify(token)
    assert (verified.account_id, verified.session_id) == ("7", "session")
    assert verified.expires_at == claims["exp"]
    assert TOKENS.issue(ACCOUNT, "session") != token
    assert TOKENS.verify(TOKENS.issue(ACCOUNT)).session_id is None


@pytest.mark.parametrize(
    ("claims", "account_id"),
    [
        ({"sub": "7"}, "7"),
        ({"sub": 7}, "7"),
        ({"user_id": "7"}, "7"),
        ({"user_id": 7}, "7"),
        ({"sub": "7", "user_id": "8"}, "7"),
        ({"sub": None, "user_id": 8}, "8"),
        ({"sub": "7", "aud": "another", "iss": "another", "iat": time.time() + 30}, "7"),
    ],
)
def test_account(claims: dict[str, Any], account_id: str) -> None:
    """The account stands in `sub`, else in `user_id`, as text or number."""
    assert TOKENS.verify(sign(claims)).account_id == account_id


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": ""},
        {"sub": True},
        {"sub": 7.0},
        {"sub": ["7"]},
        {"sub": {"id": 7}},
        {"user_id": False},
        {"sub": "7", "sid": 5},
        {"sub": "7", "exp": "soon"},
        {"sub": "7", "exp": None},
        {"sub": "7", "exp": 1e400},
        {"sub": "7", "nbf": time.time() + 86_400},
    ],
)
def test_wrong_claims(claims: dict[str, Any]) -> None:
    """A signed token that names no account or no end is refused."""
    assert refusal(sign(claims)) == "token_invalid"


def test_no_expiry() -> None:
    """A token that never ends is refused."""
    assert refusal(jwt.encode({"sub": "7"}, SECRET, "HS256")) == "token_invalid"


def test_expired() -> None:
    """A token past its end says so."""
    old = OwnTokens(SECRET, timedelta(hours=1), lambda: datetime.now(UTC) - timedelta(hours=2))
    assert refusal(old.issue(ACCOUNT)) == "token_expired"


def test_foreign_signatures() -> None:
    """Only our secret and our algorithm sign; `none`, others and a public key do not."""
    claims = {"sub": "7", "exp": time.time() + 60}
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    head, body, signature = sign(claims).split(".")
    for token in (
        sign(claims, key="another secret of this test, long enough for HS256"),
        sign(claims, algorithm="HS512"),
        sign(claims, algorithm="RS256", key=private),
        by_hand({"alg": "none"}, claims),
        by_hand({"alg": "None"}, claims),
        by_hand({"alg": "HS256"}, claims),
        by_hand({"typ": "JWT"}, claims),
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature[:-4]}",
        f"{by_hand({'alg': 'HS256'}, claims).rpartition('.')[0]}.{signature}",
    ):
        assert refusal(token) == "token_invalid"


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}")))
def test_garbage(token: str) -> None:
    """Whatever is not a token is refused and nothing else happens."""
    assert refusal(token) == "token_invalid"


def test_a_secret_is_replaced_without_ending_sessions() -> None:
    """The new one signs; what the old one has signed is verified until it is dropped."""
    old, new = SECRET, "another secret of this test, long enough for HS256"
    both = OwnTokens([new, old], timedelta(hours=1))
    issued_before = OwnTokens(old, timedelta(hours=1)).issue(ACCOUNT)
    issued_now = both.issue(ACCOUNT)
    assert both.verify(issued_before).account_id == both.verify(issued_now).account_id == "7"
    only_new = OwnTokens([new], timedelta(hours=1))
    assert only_new.verify(issued_now).account_id == "7"
    with pytest.raises(Unauthorized) as refused:
        only_new.verify(issued_before)
    assert refused.value.code == "token_invalid"
    # One that ended is known as such, whichever secret signed it.
    expired = jwt.encode({"exp": time.time() - 60, "sub": "7"}, old, "HS256")
    with pytest.raises(Unauthorized) as refused:
        both.verify(expired)
    assert refused.value.code == "token_expired"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "exp": st.sampled_from([0, 1.5, 2**40, -1, True, "9" * 12, None, [], 2**80]),
            "nbf": st.sampled_from([0, 2**40, None]),
            "sub": st.sampled_from(["7", 7, None]),
        },
    ),
    st.sampled_from([SECRET, "another secret, which is as long as those are that are ours"]),
    st.sampled_from(["", "=", "A", ".", "é"]),
    st.integers(0, 200),
)
def test_the_quick_way_accepts_only_what_the_library_accepts(
    claims: dict[str, Any], key: str, more: str, cut: int
) -> None:
    """A token with any claims, signed by anyone, with something in it that is not its own."""
    token = jwt.encode(claims, key, "HS256")
    token = token[:cut] + more + token[cut:]
    quick = TOKENS._quick_claims(token)
    if quick is not None:
        assert quick == TOKENS._thorough_claims(token) == claims


def test_what_is_issued_is_verified_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is not asked; of a changed token, it is."""
    token = TOKENS.issue(ACCOUNT)
    monkeypatch.setattr(OwnTokens, "_thorough_claims", lambda self, token: pytest.fail("asked"))
    assert TOKENS.verify(token).account_id == "7"
    monkeypatch.undo()
    head, payload, signature = token.split(".")
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    assert refusal(f"{head}.{payload}.{changed}") == "token_invalid"
