"""How often passwords may be guessed."""

import asyncio

import pytest

from models.accounts import Accounts, attempts
from models.accounts.attempts import LoginAttempts
from models.accounts.networks import NETWORKS_MAX
from models.errors import TooManyRequests, Unauthorized, Unavailable


class Seconds:
    """A monotonic clock moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def limit(seconds: Seconds) -> LoginAttempts:
    return LoginAttempts(3, seconds)


async def guess(
    limit: LoginAttempts, account: str, network: str, *, known: bool = False, wrong: bool = True
) -> str:
    try:
        async with limit.attempt(account, network, known=known):
            await asyncio.sleep(0)
            if wrong:
                raise Unauthorized("wrong", code="invalid_credentials")
    except TooManyRequests:
        return "refused"
    except Unauthorized:
        return "wrong"
    return "right"


async def test_a_limit_does_not_use_up_another(limit: LoginAttempts, seconds: Seconds) -> None:
    """Attempts refused for their address count neither for the account nor for the pair."""
    for name in "abc":
        assert await guess(limit, name, "here") == "wrong"
    for _ in range(20):
        assert await guess(limit, "ann", "here") == "refused"
    for n in range(3):
        assert await guess(limit, "ann", f"there {n}") == "wrong"
    assert await guess(limit, "ann", "there 3") == "refused"
    assert await guess(limit, "ann", "home", known=True, wrong=False) == "right"
    seconds.now += 60
    assert await guess(limit, "ann", "here", wrong=False) == "right"


async def test_a_flood_at_once(limit: LoginAttempts) -> None:
    """Of two hundred guesses at once from many addresses, no more than the limit are tried."""
    flood = await asyncio.gather(
        *(guess(limit, "ann", f"bot {n}") for n in range(60)),
        *(guess(limit, "ann", "home", known=True, wrong=False) for _ in range(15)),
    )
    assert flood[:60].count("wrong") == 3
    assert flood[:60].count("refused") == 57
    assert flood[60:] == ["right"] * 15


async def test_what_is_no_guess(limit: LoginAttempts) -> None:
    """A busy server or a request that is cancelled counts as no failure and leaves nothing."""

    async def busy() -> None:
        async with limit.attempt("ann", "here", known=False):
            raise Unavailable("busy", code="busy")

    for _ in range(5):
        with pytest.raises(Unavailable):
            await busy()
    under_way = [asyncio.ensure_future(guess(limit, "ann", "here")) for _ in range(8)]
    await asyncio.sleep(0)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)
    assert len(limit) == 0
    assert await guess(limit, "ann", "here", wrong=False) == "right"


async def test_bounded(limit: LoginAttempts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invented accounts push out the keys unused for longest; waiting attempts are bounded."""
    monkeypatch.setattr(attempts, "KEYS_MAX", 9)
    for n in range(50):
        assert await guess(limit, f"user {n}", f"bot {n}") == "wrong"
        assert len(limit) <= 9
    monkeypatch.setattr(attempts, "KEY_WAITING_MAX", 2)
    crowd = await asyncio.gather(*(guess(limit, "ann", "school", wrong=False) for _ in range(8)))
    assert crowd == ["right"] * 5 + ["refused"] * 3


async def test_known_networks(accounts: Accounts) -> None:
    """The latest networks of an account are known, as hashes that say nothing to others."""
    account = await accounts.sign_up("ann@example.com", "password123")
    other = await accounts.sign_up("bob@example.com", "password123")
    networks = [f"192.0.2.{n}" for n in range(NETWORKS_MAX + 1)]
    for network in (*networks, networks[-1]):
        await accounts.networks.remember(account.id, network)
    assert [await accounts.networks.knows(account.id, network) for network in networks] == [
        False,
        *[True] * NETWORKS_MAX,
    ]
    assert not await accounts.networks.knows(other.id, networks[-1])
    assert await accounts.has_signed_in_from("ANN@example.com", networks[-1])
    assert not await accounts.has_signed_in_from("nobody@example.com", networks[-1])


async def test_guesses_at_several_processes_are_one_limit(seconds: Seconds) -> None:
    """What failed elsewhere counts here, for as long, and is not told back."""
    one, two = LoginAttempts(3, seconds), LoginAttempts(3, seconds)
    told = []

    def tell(key: object, amount: int) -> None:
        told.append(key)
        two.charge(key, amount)

    one.tell = tell
    for n in range(3):
        assert await guess(one, "ann", f"there {n}") == "wrong"
    assert len(told) == 9
    assert await guess(two, "ann", "there 9") == "refused"
    assert await guess(two, "ann", "home", known=True, wrong=False) == "right"
    assert await guess(two, "ben", "there 0") == "wrong"
    two.charge(("network", "flood"), 10**9)
    assert await guess(two, "eve", "flood") == "refused"
    seconds.now += 60
    assert await guess(two, "ann", "there 9", wrong=False) == "right"
    assert await guess(two, "eve", "flood", wrong=False) == "right"
