"""An account with something in every collection that can name one, made through the doors."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, FormData

from models.collections import COLLECTIONS
from models.database import Database, Document
from tests.live import Server
from tests.pictures import PNG, square

PASSWORD = "correct horse battery"
VERA = {"email": "vera@example.com", "name": "Vera Votruba", "phone": "+441632960961"}
SHOE = {"name": "Trainer", "sku": "TR-1", "sizes": ["US 9"]}
DEVICE = {
    "endpoint": "https://push.example.com/send/1",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4"
        "bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
"""The subscription that RFC 8291, section 5, prints."""


@dataclass
class Person:
    """Somebody at this server."""

    id: str
    token: str
    public_id: str


class World:
    """Two people who have to do with each other in every domain."""

    def __init__(self, server: Server, vera: Person, bob: Person) -> None:
        self.server = server
        self.vera = vera
        self.bob = bob

    async def call(
        self,
        who: Person,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Make a request that succeeds and return its answer."""
        got, answer = await self.server.call(who.token, method, path, body, headers or {})
        assert got == status if status else got < 300, (method, path, got, answer)
        return answer


async def signed_up(server: Server, **values: str) -> Person:
    status, answer = await server.call(
        None, "POST", "/api/v1/auth/signup", {"password": PASSWORD, **values}
    )
    assert status == 201, answer
    user = answer["user"]
    return Person(user["id"], answer["token"], user["public_id"])


async def documents(database: Database, name: str) -> AsyncIterator[Document]:
    """Walk through a collection."""
    async for document in database[name].find({}):
        yield document


async def naming(database: Database, *words: str) -> dict[str, list[Document]]:
    """Return, of each collection, the documents that hold one of `words` anywhere."""
    found: dict[str, list[Document]] = {}
    for name in COLLECTIONS:
        async for document in documents(database, name):
            if any(mentions(document, word) for word in words):
                found.setdefault(name, []).append(document)
    return found


def mentions(value: object, word: str) -> bool:
    """Whether a text somewhere in `value` is `word`, or has it as one of its parts."""
    if isinstance(value, dict):
        return any(mentions(item, word) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(mentions(item, word) for item in value)
    if not isinstance(value, str):
        return False
    parts = value
    for separator in "|:/":
        parts = parts.replace(separator, "\0")
    return word in parts.split("\0") or ("@" in word and word in value)


async def fill(world: World) -> None:
    """Let Vera and Bob write something of every kind."""
    vera, bob, call = world.vera, world.bob, world.call
    await _stories(vera, bob, call)
    await _chat(world)
    await _market(vera, bob, call)
    await _diary(vera, bob, call)
    await _operators(vera, bob, call)
    await call(vera, "POST", "/api/v1/push/subscriptions", DEVICE)
    await world.server.accounts.pictures.put(vera.id, square(64))


async def _stories(vera: Person, bob: Person, call: Any) -> None:
    text = {"text": "Hello", "visibility": "PUBLIC"}
    await call(vera, "POST", "/stories", text, headers={"Idempotency-Key": "first"})
    private = {"text": "For Vera", "visibility": "PRIVATE", "audience_user_ids": [vera.id]}
    bobs = await call(bob, "POST", "/stories", private)
    await call(vera, "POST", f"/stories/{bobs['id']}/view")
    await call(vera, "POST", f"/stories/{bobs['id']}/reactions", {"emoji": "👍"})


async def _operators(vera: Person, bob: Person, call: Any) -> None:
    stories = await call(vera, "GET", "/stories")
    about_bob = next(one for one in stories["items"] if one["author"]["id"] == bob.id)
    await call(vera, "POST", f"/stories/{about_bob['id']}/report", {"reason": "other"})
    await call(bob, "POST", f"/api/v1/admin/users/{vera.id}/enable")


async def _chat(world: World) -> None:
    vera, bob, call = world.vera, world.bob, world.call
    await call(vera, "POST", "/api/v1/channels", {"name": "veras"})
    await call(vera, "POST", "/api/v1/channels", {"name": "veras-own", "private": True})
    direct = await call(vera, "POST", "/api/v1/conversations", {"participants": [bob.public_id]})
    path = f"/api/v1/conversations/{direct['id']}/messages"
    sent = await call(vera, "POST", path, {"content": "Hello", "client_id": "first"})
    await call(bob, "POST", path, {"content": f"Hello @{vera.public_id}"})
    group = {"participants": [bob.public_id], "title": "Two"}
    await call(vera, "POST", "/api/v1/conversations", group)
    stranger = await signed_up(world.server, email="zoe@example.com")
    await call(
        stranger, "POST", "/api/v1/conversations", {"participants": [vera.id], "title": "Ask"}
    )
    await call(vera, "POST", f"/api/v1/users/{stranger.id}/block")
    await call(vera, "POST", f"/api/v1/messages/{sent['id']}/reactions", {"emoji": "👍"})
    form = FormData()
    form.add_field("conversation_id", direct["id"])
    form.add_field("file", PNG, filename="one.png", content_type="image/png")
    async with (
        ClientSession() as http,
        http.post(
            f"{world.server.url}/api/v1/uploads",
            data=form,
            headers={"Authorization": f"Bearer {vera.token}"},
        ) as response,
    ):
        upload = await response.json()
        assert response.status == 201, upload
    await call(
        vera,
        "POST",
        path,
        {"content": "", "message_type": "image", "attachments": [upload["id"]]},
    )
    socket = await world.server.socketio(vera.token, namespace="/chat")
    answer = await socket.call("status_change", {"status": "busy"})
    assert "data" in answer, answer


async def _market(vera: Person, bob: Person, call: Any) -> None:
    product = await call(vera, "POST", "/api/v1/products", SHOE)
    offer = {"product_id": product["id"], "size": "US 9"}
    for seller, buyer in ((vera, bob), (bob, vera)):
        await call(seller, "POST", "/api/v1/asks", offer | {"price": "100.00"})
        bid = await call(buyer, "POST", "/api/v1/bids", offer | {"price": "100.00"})
        order = f"/api/v1/orders/{bid['order_id']}"
        await call(buyer, "POST", f"{order}/pay", {"card_number": "4242424242424242"})
        await call(seller, "POST", f"{order}/ship", {"carrier": "UPS", "tracking": "1Z"})
        await call(buyer, "POST", f"{order}/deliver")
    await call(vera, "POST", "/api/v1/bids", offer | {"price": "50.00"})


async def _diary(vera: Person, bob: Person, call: Any) -> None:
    below = "/api/v1/diary"
    await call(vera, "POST", f"{below}/entries", {"text": "A day", "mood": 4})
    gone = await call(vera, "POST", f"{below}/entries", {"text": "Another"})
    await call(vera, "DELETE", f"{below}/entries/{gone['id']}")
    task = await call(vera, "POST", f"{below}/tasks", {"title": "Water the plants"})
    await call(vera, "POST", f"{below}/tasks/{task['id']}/complete", {})
    await call(vera, "POST", f"{below}/motivations", {"current_challenge": "Rain"})
    goal = {"title": "Read", "kind": "number", "target": 10, "unit": "books"}
    await call(vera, "POST", f"{below}/goals", goal | {"members": [bob.public_id]})
    await call(bob, "POST", f"{below}/goals", goal | {"members": [vera.public_id]})
