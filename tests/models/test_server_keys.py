"""Secret keys of a deployment."""

import asyncio

from models.server_keys import KEY_BYTES, ServerKeys


async def test_processes_that_ask_at_once_get_one_key(database):
    """The key for a purpose is one, however many processes make it at the same time."""
    keys = await asyncio.gather(*(ServerKeys(database).key("pairs") for _ in range(8)))
    assert len(set(keys)) == 1
    assert len(keys[0]) == KEY_BYTES


async def test_purposes_have_keys_of_their_own(database):
    """Keys differ by purpose, and a later process reads what an earlier one made."""
    first = ServerKeys(database)
    pairs, tokens = await first.key("pairs"), await first.key("tokens")
    assert pairs != tokens
    assert await ServerKeys(database).key("tokens") == tokens
