"""What becomes of an account's documents, held against the table of collections."""

import json

import pytest
from aiohttp import ClientSession

from models.accounts import Accounts
from models.accounts.lifecycle import ERASED_AGAIN_AFTER
from models.collections import COLLECTIONS, Fate
from tests.account_world import PASSWORD, VERA, World, fill, naming, signed_up
from tests.app.identity.conftest import jwks  # noqa: F401
from tests.app.identity.jwks_server import PROJECT
from tests.app.push.service import new_private_key

NOT_FILLED = {
    "diary_reminders": "made by a sweep when a task is due; models/diary/test_operations.py",
    "account_links": "made by the mail hook; app/rest/test_recovery.py",
    "chat_changes": "names who has blocked the author; models/chat/test_standing.py",
    "revocations": "made when credentials end",
    "demo_parts": "names the example people alone; app/test_demo.py",
}
"""Collections that the world of these tests does not fill, and who tests them."""


@pytest.fixture
async def world(serve, jwks):  # noqa: F811
    server = await serve(
        firebase_project_id=PROJECT,
        firebase_jwks_url=jwks.url,
        vapid_private_key=new_private_key(),
        revocation_check_s=0.05,
    )
    vera = await signed_up(server, **VERA)
    bob = await signed_up(server, email="bob@example.com", name="Bob")
    made = World(server, vera, bob)
    await fill(made)
    return made


async def test_what_an_account_has(world, database):
    """The world fills every row of the table, the export has it, and only the owner deletes it."""
    vera, server = world.vera, world.server
    named = {name for name, policy in COLLECTIONS.items() if policy.names}
    assert named - set(await naming(database, vera.id)) - set(NOT_FILLED) == set()
    exported = await export_of(world)
    lists = {**exported, **{f"diary {name}": items for name, items in exported["diary"].items()}}
    assert {name for name, items in lists.items() if items == []} == set()
    assert exported["account"]["email"] == VERA["email"]
    assert {item["text"] for item in exported["stories"]} == {"Hello"}
    assert {item["content"] for item in exported["messages"]} == {"Hello", ""}
    assert len(exported["orders"]) == 2
    for body in ({}, {"password": "wrong password"}, {"password": None}):
        status, problem = await server.call(vera.token, "DELETE", "/api/v1/auth/me", body)
        assert (status, problem["code"]) == (403, "password_wrong"), body
    assert (await world.call(vera, "GET", "/api/v1/auth/me"))["id"] == vera.id


async def export_of(world):
    """Return the account's own export."""
    headers = {"Authorization": f"Bearer {world.vera.token}"}
    url = f"{world.server.url}/api/v1/auth/me/export"
    async with ClientSession() as http, http.get(url, headers=headers) as response:
        assert response.status == 200
        return json.loads(await response.read())


async def test_a_deleted_account_ends_as_the_table_says(world, database):
    """Deletion removes, anonymises or leaves the bare id; others go on, and nobody comes in."""
    vera, server = world.vera, world.server
    socket = await server.socketio(vera.token, namespace="/chat")
    before = await naming(database, vera.id)
    password = {"password": PASSWORD}
    assert (await server.call(vera.token, "DELETE", "/api/v1/auth/me", password))[0] == 204
    await socket.gone()
    after = await naming(database, vera.id)
    for name in before:
        if COLLECTIONS[name].deleted in (Fate.REMOVED, Fate.ANONYMISED):
            assert name not in after, (name, after.get(name))
    # Nothing personal is left anywhere.
    for word in (VERA["email"], VERA["phone"], VERA["name"], "Votruba"):
        assert await naming(database, word) == {}, word
    assert [offer async for offer in database["market_offers"].find({"status": "open"})] == []
    orders = [order async for order in database["market_orders"].find({})]
    assert len(orders) == 2
    parties = {order[role] for order in orders for role in ("buyer_id", "seller_id")}
    (pseudonym,) = parties - {world.bob.id}
    assert pseudonym.startswith("deleted-")
    await others_go_on(world)
    # Tokens, password and address open nothing, and the address is free again.
    assert (await server.call(vera.token, "GET", "/api/v1/auth/me"))[0] == 401
    login = {"email": VERA["email"], **password}
    assert (await server.call(None, "POST", "/login", login))[0] == 401
    assert (await signed_up(server, **VERA)).id != vera.id


async def others_go_on(world):
    """Read and write what the other one has left: a conversation, orders, goals."""
    vera, bob, call = world.vera, world.bob, world.call
    listed = await call(bob, "GET", "/api/v1/conversations")
    direct = next(item for item in listed["items"] if item["kind"] == "direct")
    path = f"/api/v1/conversations/{direct['id']}/messages"
    history = await call(bob, "GET", path)
    by_vera = [item for item in history["items"] if item["author_id"] == vera.id]
    assert by_vera
    assert [item["author_name"] for item in by_vera] == [None] * len(by_vera)
    await call(bob, "POST", path, {"content": "Still there?"})
    await call(bob, "GET", f"/api/v1/conversations/{direct['id']}")
    for order in (await call(bob, "GET", "/api/v1/orders"))["items"]:
        await call(bob, "GET", f"/api/v1/orders/{order['id']}")
    for goal in (await call(bob, "GET", "/api/v1/diary/goals"))["items"]:
        await call(bob, "GET", f"/api/v1/diary/goals/{goal['id']}")


async def test_a_deletion_waits_for_orders_under_way(world):
    """202 names the order; open offers go at once; the deletion can be withdrawn."""
    vera, bob, call = world.vera, world.bob, world.call
    product = await call(
        vera, "POST", "/api/v1/products", {"name": "Cap", "sku": "C", "sizes": ["S"]}
    )
    offer = {"product_id": product["id"], "size": "S", "price": "10.00"}
    await call(vera, "POST", "/api/v1/asks", offer)
    bid = await call(bob, "POST", "/api/v1/bids", offer)
    waiting = await call(vera, "DELETE", "/api/v1/auth/me", {"password": PASSWORD}, status=202)
    assert waiting == {"waits_for": [f"order {bid['order_id']}"]}
    mine = await call(vera, "GET", "/api/v1/bids?status=open")
    assert mine["items"] == []
    await call(vera, "DELETE", "/api/v1/auth/me/deletion", status=204)
    await call(bob, "POST", f"/api/v1/orders/{bid['order_id']}/cancel")
    assert (await call(vera, "GET", "/api/v1/auth/me"))["id"] == vera.id


async def test_an_account_without_a_password_is_not_deleted_by_mistake(server):
    """Who has no password to prove anything with has to say that this is meant."""
    token = await server.token("someone")
    status, problem = await server.call(token, "DELETE", "/api/v1/auth/me", {})
    assert (status, [*problem["errors"]]) == (422, ["confirm"])
    assert (await server.call(token, "GET", "/api/v1/auth/me"))[0] == 200
    confirmed = {"confirm": "delete"}
    assert (await server.call(token, "DELETE", "/api/v1/auth/me", confirmed))[0] == 204
    assert (await server.call(token, "GET", "/api/v1/auth/me"))[0] == 401


async def test_a_handed_over_account_ends_as_the_table_says(world, database, jwks):  # noqa: F811
    """The verified owner gets what was written; whatever gives the former holder a hold is gone."""
    vera, bob, server = world.vera, world.bob, world.server
    socket = await server.socketio(vera.token, namespace="/chat")
    raw = await server.raw(vera.token)
    jwks.add_key("one")
    owner = jwks.token(sub="the-owner", email=VERA["email"], name="Vera")
    before = await naming(database, vera.id)
    status, me = await server.call(owner, "GET", "/api/v1/auth/me")
    assert (status, me["id"], me["phone"]) == (200, vera.id, None)
    after = await naming(database, vera.id)
    for name in before:
        if COLLECTIONS[name].handed_over is Fate.REMOVED:
            assert name not in after, (name, after.get(name))
    await socket.gone()
    assert await raw.closed() == 4001
    for old in (vera.token,):
        assert (await server.call(old, "GET", "/api/v1/auth/me"))[0] == 401
    # What was ended: nothing is shared with the former holder's friends, and nothing is for sale.
    _, goals = await server.call(bob.token, "GET", "/api/v1/diary/goals")
    assert [goal["owner"] for goal in goals["items"] if goal["owner"] == vera.id] == []
    assert [offer async for offer in database["market_offers"].find({"status": "open"})] == []
    _, listed = await server.call(owner, "GET", "/api/v1/conversations")
    assert [item for item in listed["items"] if item["kind"] != "direct"] == []
    # What stays: the diary.
    _, entries = await server.call(owner, "GET", "/api/v1/diary/entries")
    assert [entry["text"] for entry in entries["items"]] == ["A day"]


async def test_an_interrupted_deletion_is_finished_by_a_sweep(database, passwords):
    """A process that dies in the middle leaves an account that the next sweep deletes."""
    accounts = Accounts(database, passwords)

    class Dying:
        failures = 1

        async def hand_over(self, account_id):
            pass

        async def bindings(self, account_id):
            return []

        async def erase(self, account_id, pseudonym):
            if self.failures:
                self.failures -= 1
                raise RuntimeError("the process died")

        def export(self, account):
            return {}

    accounts.join_lifecycle(Dying())
    bob = await accounts.sign_up("bob@example.com", PASSWORD, "Bob")
    with pytest.raises(RuntimeError):
        await accounts.lifecycle.request_deletion(bob.id)
    await accounts.sweep()
    assert await accounts.find(bob.id) is None
    found = await database["accounts"].find_one({"_id": bob.id})
    assert (found["email"], found["name"], found["password_hash"]) == (None, None, None)


async def test_what_was_written_while_an_account_was_deleted_goes_too(database, passwords, clock):
    """A second pass, minutes later, removes what a live connection still wrote."""
    accounts = Accounts(database, passwords, clock=clock)
    passes = []

    class Part:
        async def hand_over(self, account_id):
            pass

        async def bindings(self, account_id):
            return []

        async def erase(self, account_id, pseudonym):
            passes.append(pseudonym)

        def export(self, account):
            return {}

    accounts.join_lifecycle(Part())
    account = await accounts.find_or_create_by_email("someone@example.com")
    await accounts.lifecycle.request_deletion(account.id)
    await accounts.sweep()
    assert len(passes) == 1
    clock.move(ERASED_AGAIN_AFTER)
    await accounts.sweep()
    await accounts.sweep()
    assert len(passes) == 2
    assert len(set(passes)) == 1
    found = await database["accounts"].find_one({"_id": account.id})
    assert "pseudonym" not in found
