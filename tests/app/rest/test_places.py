"""An answer that says 201 says where what was made is."""

import pytest

from tests.live import HELLO

ENTRY = {"text": "A long walk.", "date": "2026-03-01"}


@pytest.fixture
async def token(server):
    return await server.token("ann")


@pytest.fixture
def post(server, token):
    """Send a POST; returns the status, `Location` and the answer."""

    async def post(path, body, **headers):
        headers |= {"Authorization": f"Bearer {token}"}
        async with server._http.post(server.url + path, json=body, headers=headers) as response:
            return response.status, response.headers.get("Location"), await response.json()

    return post


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/stories", HELLO),
        ("/api/v1/stories", HELLO),
        ("/api/v1/diary/entries", ENTRY),
        ("/api/v1/diary/tasks", {"title": "Write"}),
        ("/api/v1/products", {"name": "Shoe", "sku": "S1", "sizes": ["US 9"]}),
    ],
)
async def test_what_was_made_is_where_the_answer_says(server, token, post, path, body):
    """`Location` is below the path of the request, and leads to the thing."""
    status, place, made = await post(path, body)
    assert status == 201
    assert place == f"{path}/{made['id']}"
    assert await server.call(token, "GET", place) == (200, made)


async def test_a_message_has_one_place(server, token, post):
    """Also where it was sent to its conversation's path, or is answered in the older form."""
    _, _, conversation = await post(
        "/api/v1/conversations", {"participants": [(await server.account("bob")).email]}
    )
    sent = {"content": "Hello"}
    _, place, made = await post(f"/api/v1/conversations/{conversation['id']}/messages", sent)
    assert place.startswith("/api/v1/messages/")
    assert (await server.call(token, "GET", place))[1]["data"]["id"] == made["id"]
    _, place, made = await post("/api/v1/messages", {**sent, "conversation_id": conversation["id"]})
    assert (await server.call(token, "GET", place))[1]["data"] == made["data"]


async def test_a_repeat_says_the_same_place(post):
    """Under an `Idempotency-Key` the answer that was kept has it."""
    first = await post("/api/v1/stories", HELLO, **{"Idempotency-Key": "k"})
    assert first[1] == f"/api/v1/stories/{first[2]['id']}"
    assert await post("/api/v1/stories", HELLO, **{"Idempotency-Key": "k"}) == first


async def test_what_cannot_be_read_alone_has_no_place(post):
    """There is no path of one motivation."""
    status, place, _ = await post("/api/v1/diary/motivations", {"stress_level": 7})
    assert (status, place) == (201, None)
