"""How accounts are shown to others."""

import asyncio
from dataclasses import replace

import pytest

from models.accounts import Accounts, missing_person, person_of
from models.accounts.people import FRESH_S, People
from models.identity import Identity


@pytest.fixture
async def ann(accounts):
    return await accounts.sign_up("ann@example.com", "password123", "Ann")


def identity_of(account):
    return Identity(account.id, account.email, account.public_id, account.name)


async def test_one_source(accounts, ann):
    """People are shown as their accounts are; an id without an account has no name."""
    assert await accounts.people.many([ann.id, "404"]) == {
        ann.id: person_of(ann),
        "404": missing_person("404"),
    }


async def test_a_change_is_seen_at_once_here_and_soon_elsewhere(accounts, ann, database, passwords):
    """The process that changes an account shows it at once, every other after a moment."""
    passed = [0.0]
    elsewhere = Accounts(database, passwords)
    other = People(elsewhere.find_many, lambda: passed[0])
    await other.one(ann.id)
    told = []

    async def listen(account_id):
        told.append(account_id)

    accounts.people.when_changed(listen)
    await accounts.people.one(ann.id)
    await accounts.change(ann.id, name="Anna")
    assert told == [ann.id]
    assert (await accounts.people.one(ann.id))["name"] == "Anna"
    assert (await other.one(ann.id))["name"] == "Ann"
    passed[0] = FRESH_S
    assert (await other.one(ann.id))["name"] == "Anna"
    await accounts.change_email(await accounts.get(ann.id), "anna@example.com")
    assert told == [ann.id] * 2
    assert (await accounts.people.one(ann.id))["email"] == "anna@example.com"
    # Nothing else of an account is shown.
    await accounts.change(ann.id, language="vi")
    assert told == [ann.id] * 2


async def test_what_was_read_before_a_change_is_not_kept(ann):
    """A look-up that a change overtakes is forgotten."""
    reading, go_on = asyncio.Event(), asyncio.Event()
    stored = {ann.id: ann}

    async def find(account_ids):
        found = [stored[account_id] for account_id in account_ids]
        reading.set()
        await go_on.wait()
        return found

    people = People(find)
    slow = asyncio.create_task(people.one(ann.id))
    await reading.wait()
    stored[ann.id] = replace(ann, name="Anna")
    await people.changed(ann.id)
    go_on.set()
    assert (await slow)["name"] == "Ann"
    assert (await people.one(ann.id))["name"] == "Anna"


async def test_live_identities_follow(accounts, ann):
    """An identity gets the present name; one whose credentials have ended learns nothing more."""
    identity = identity_of(ann)
    assert await accounts.people.current(identity) is identity
    await accounts.change(ann.id, name="Anna")
    assert await accounts.people.current(identity) == replace(identity, name="Anna")
    await accounts.end_credentials(ann.id)
    await accounts.change(ann.id, name="Somebody else")
    assert await accounts.people.current(identity) == identity
