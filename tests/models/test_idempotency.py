"""Keys under which a request is answered once."""

import asyncio
from datetime import timedelta

import pytest

from models.errors import Conflict, Invalid
from models.idempotency import AGAIN_S, KEPT, Answer, Attempt, Idempotency

CREATED = Answer(201, '{"id": "1"}', "application/json")


@pytest.fixture
async def keys(database, clock):
    made = Idempotency(database, clock=clock)
    await made.prepare()
    return made


async def test_the_first_answer_is_given_again(keys):
    """After an answer was kept, the same request gets it, however often."""
    attempt = await keys.begin("1", "k", "print")
    await keys.keep(attempt, CREATED)
    for _ in range(2):
        assert await keys.begin("1", "k", "print") == CREATED


async def test_another_request_under_the_key_is_refused(keys):
    """A key that was used for something else is a conflict, answered already or not."""
    attempt = await keys.begin("1", "k", "print")
    for _ in range(2):
        with pytest.raises(Invalid) as refused:
            await keys.begin("1", "k", "another print")
        assert refused.value.code == "key_reused"
        await keys.keep(attempt, CREATED)


async def test_keys_are_each_accounts_own(keys):
    """Two accounts that choose one key do not meet."""
    assert isinstance(await keys.begin("1", "k", "print"), Attempt)
    assert isinstance(await keys.begin("2", "k", "another print"), Attempt)


async def test_of_many_at_once_one_begins(keys):
    """While the first is under way the others are told when to come back."""
    begun = await asyncio.gather(
        *(keys.begin("1", "k", "print") for _ in range(20)), return_exceptions=True
    )
    refused = [error for error in begun if isinstance(error, Conflict)]
    assert len(refused) == 19
    assert {error.code for error in refused} == {"idempotency_in_flight"}
    assert {error.retry_after_s for error in refused} == {AGAIN_S}


async def test_a_released_key_begins_at_once(keys):
    """An attempt that ended without an answer worth keeping leaves the way free."""
    first = await keys.begin("1", "k", "print")
    await keys.release(first)
    again = await keys.begin("1", "k", "print")
    assert isinstance(again, Attempt)
    assert again.operation_id == first.operation_id


@pytest.mark.parametrize("swept", [True, False])
async def test_keys_are_forgotten_after_their_time(keys, clock, database, swept):
    """When its time is over a key is new again, swept away or not."""
    attempt = await keys.begin("1", "k", "print")
    await keys.keep(attempt, CREATED)
    clock.move(KEPT - timedelta(milliseconds=1))
    await keys.sweep()
    assert await keys.begin("1", "k", "print") == CREATED
    clock.move(timedelta(milliseconds=1))
    if swept:
        await keys.sweep()
        assert await database["idempotency_keys"].count_documents({}) == 0
    begun = await keys.begin("1", "k", "another print")
    assert isinstance(begun, Attempt)
    assert begun.operation_id != attempt.operation_id


async def test_forgotten_below_a_path(keys):
    """The answers of one account below one path are forgotten, and no others."""
    for account_id, key, path in [
        ("1", "a", "/private/x"),
        ("1", "b", "/privately"),
        ("10", "a", "/private/x"),
        ("2", "a", "/private/x"),
    ]:
        await keys.keep(await keys.begin(account_id, key, "print", path), CREATED)
    await keys.forget("1", "/private/")
    assert isinstance(await keys.begin("1", "a", "print"), Attempt)
    for account_id, key in [("1", "b"), ("10", "a"), ("2", "a")]:
        assert await keys.begin(account_id, key, "print") == CREATED
