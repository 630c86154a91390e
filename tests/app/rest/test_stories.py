"""The REST routes of stories, from request to answer."""

import pytest
from aiohttp import web

from app.rest.errors import problems
from app.rest.operations import routes_for
from app.rest.requests import AUTHENTICATE
from models.errors import Unauthorized
from models.stories.api import STORIES
from models.stories.operations import Stories
from tests.stories_world import (
    FRIENDS_STORY,
    LIFETIME,
    MISSING_ID,
    PUBLIC_STORY,
    RecordingPublisher,
    person,
)

AUTHOR, FRIEND, OUTSIDER = "1", "2", "9"


async def token_is_the_account_id(token):
    """Stands for the real check: decimal tokens are good."""
    if token is None or not token.isdecimal():
        raise Unauthorized("The token is not valid.", code="token_invalid")
    return person(token)


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
async def call(database, publisher, clock, aiohttp_client):
    stories = Stories(database, publisher, lifetime=LIFETIME, clock=clock)
    await stories.prepare()
    app = web.Application(middlewares=[problems])
    app[AUTHENTICATE] = token_is_the_account_id
    app.add_routes(routes_for(STORIES)(stories).routes())
    client = await aiohttp_client(app)

    async def request(who, method, path, **options):
        headers = {"Authorization": f"Bearer {who}"} if who else {}
        headers |= options.pop("headers", {})
        async with client.request(method, path, headers=headers, **options) as response:
            if response.status == 204:
                assert await response.read() == b""
                return 204, None
            return response.status, await response.json(content_type=None)

    return request


async def create(call, content=PUBLIC_STORY, who=AUTHOR):
    status, story = await call(who, "POST", "/stories", json=content)
    assert status == 201
    return story


STORY_ROUTES = [
    ("GET", "", None),
    ("DELETE", "", None),
    ("POST", "/view", None),
    ("POST", "/reactions", {"emoji": "❤️"}),
    ("DELETE", "/reactions", None),
    ("GET", "/viewers", None),
    ("GET", "/reactions", None),
]
ALL_ROUTES = [("POST", "/stories", PUBLIC_STORY), ("GET", "/stories", None)] + [
    (method, f"/stories/{MISSING_ID}{path}", content) for method, path, content in STORY_ROUTES
]


async def test_the_walk_of_the_document(call, publisher):
    """Create, view and react as in docs/older-apis/stories-events.md; the author gets both."""
    content = {"text": "Hello World", "visibility": "PUBLIC", "audience_user_ids": []}
    story = await create(call, content)
    path = f"/stories/{story['id']}"
    publisher.take()
    viewed_status, viewed = await call(FRIEND, "POST", f"{path}/view")
    reacted_status, reacted = await call(FRIEND, "POST", f"{path}/reactions", json={"emoji": "❤️"})
    assert (viewed_status, reacted_status) == (200, 200)
    assert publisher.take() == [(viewed, ("user:1",)), (reacted, ("user:1",))]
    assert await call(AUTHOR, "GET", path) == (200, story | {"view_count": 1, "reaction_count": 1})
    assert await call(AUTHOR, "GET", f"{path}/viewers") == (200, {"items": [viewed], "next": None})
    assert await call(AUTHOR, "GET", f"{path}/reactions") == (
        200,
        {"items": [reacted], "next": None},
    )
    assert await call(FRIEND, "DELETE", f"{path}/reactions") == (204, None)
    assert await call(FRIEND, "DELETE", f"{path}/reactions") == (204, None)
    assert await call(AUTHOR, "DELETE", path) == (204, None)
    assert (await call(AUTHOR, "GET", path))[0] == 404


async def test_the_feed_pages_by_cursor(call):
    """`next` of one page is `after` of the following, up to null."""
    ids = {(await create(call))["id"] for _ in range(5)}
    seen = []
    after = {}
    for size in (2, 2, 1):
        status, page = await call(FRIEND, "GET", "/stories", params={"limit": "2", **after})
        assert status == 200
        assert len(page["items"]) == size
        seen += [item["id"] for item in page["items"]]
        after = {"after": page["next"]}
    assert page["next"] is None
    assert seen == sorted(ids, reverse=True)


@pytest.mark.parametrize(("method", "path", "content"), STORY_ROUTES)
async def test_outsiders_get_404(call, publisher, method, path, content):
    """Outside the audience every route answers as if the story were not there."""
    story = await create(call, FRIENDS_STORY)
    publisher.take()
    hidden = await call(OUTSIDER, method, f"/stories/{story['id']}{path}", json=content)
    absent = await call(OUTSIDER, method, f"/stories/{MISSING_ID}{path}", json=content)
    assert hidden == absent
    assert (hidden[0], hidden[1]["code"]) == (404, "story_not_found")
    assert publisher.take() == []
    assert await call(AUTHOR, "GET", f"/stories/{story['id']}") == (200, story)


@pytest.mark.parametrize(("method", "path", "content"), STORY_ROUTES)
async def test_expired_stories_get_404(call, clock, method, path, content):
    """At the end of its day a story is gone at every route, for its author too."""
    story = await create(call)
    clock.move(LIFETIME)
    status, answer = await call(AUTHOR, method, f"/stories/{story['id']}{path}", json=content)
    assert (status, answer["code"]) == (404, "story_not_found")


@pytest.mark.parametrize(("method", "path", "content"), STORY_ROUTES)
async def test_malformed_ids_get_404(call, method, path, content):
    """An id that no story can have is 404 and nothing worse."""
    for story_id in ("1", "*", "%00", "%ED%A0%80", "..%2Fx", "a" * 3000):
        status, answer = await call(AUTHOR, method, f"/stories/{story_id}{path}", json=content)
        assert (story_id, status, answer["status"]) == (story_id, 404, 404)


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", ""), ("GET", "/viewers"), ("GET", "/reactions")]
)
async def test_readers_get_403_for_what_is_the_authors(call, method, path):
    """Who may see the story learns that this is for its author only."""
    story = await create(call, FRIENDS_STORY)
    status, answer = await call(FRIEND, method, f"/stories/{story['id']}{path}")
    assert (status, answer["code"]) == (403, "not_the_author")


@pytest.mark.parametrize(("method", "path", "content"), ALL_ROUTES)
@pytest.mark.parametrize(("token", "code"), [(None, "token_missing"), ("x", "token_invalid")])
async def test_every_route_wants_a_token(call, method, path, content, token, code):
    """Without a good token every route answers 401, whatever else is wrong."""
    status, answer = await call(token, method, path, json=content)
    assert (status, answer["code"]) == (401, code)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({}, "text"),
        (PUBLIC_STORY | {"text": ""}, "text"),
        (PUBLIC_STORY | {"text": 5}, "text"),
        (PUBLIC_STORY | {"text": "x" * 2001}, "text"),
        (PUBLIC_STORY | {"visibility": "ALL"}, "visibility"),
        (PUBLIC_STORY | {"audience_user_ids": ["2"]}, "audience_user_ids"),
        (FRIENDS_STORY | {"audience_user_ids": [{}]}, "audience_user_ids"),
        (PUBLIC_STORY | {"expires_at": "2099-01-01"}, "expires_at"),
    ],
)
async def test_bad_stories_get_422_and_leave_nothing(call, publisher, content, field):
    """A story with a wrong field is refused by name, not written and not told."""
    status, answer = await call(AUTHOR, "POST", "/stories", json=content)
    assert status == 422
    assert field in answer["errors"]
    assert publisher.take() == []
    assert (await call(AUTHOR, "GET", "/stories"))[1]["items"] == []


@pytest.mark.parametrize("content", [{}, {"emoji": ""}, {"emoji": "nice"}, {"emoji": "❤️", "at": 1}])
async def test_bad_reactions_get_422_and_leave_nothing(call, publisher, content):
    """A reaction that is no emoji replaces nothing and is not told."""
    story = await create(call)
    path = f"/stories/{story['id']}/reactions"
    kept = await call(FRIEND, "POST", path, json={"emoji": "🔥"})
    publisher.take()
    assert (await call(FRIEND, "POST", path, json=content))[0] == 422
    assert publisher.take() == []
    assert (await call(AUTHOR, "GET", path))[1]["items"] == [kept[1]]


@pytest.mark.parametrize("path", ["/stories", "/stories/{id}/viewers", "/stories/{id}/reactions"])
@pytest.mark.parametrize(
    ("field", "value"), [("after", "nonsense"), ("after", ""), ("limit", "0"), ("limit", "x")]
)
async def test_bad_pages_get_422(call, path, field, value):
    """A cursor that was never given out or a limit out of bounds is refused by name."""
    story = await create(call)
    target = path.replace("{id}", story["id"])
    status, answer = await call(AUTHOR, "GET", target, params={field: value})
    assert (status, list(answer["errors"])) == (422, [field])


@pytest.mark.parametrize("raw", [b"{", b"[]", b'"x"', b"null", b"\xff", b'{"text": "\\ud800"}'])
async def test_unreadable_bodies_get_400(call, publisher, raw):
    """What is no JSON object is 400, and nothing is written."""
    json_type = {"Content-Type": "application/json"}
    status, _ = await call(AUTHOR, "POST", "/stories", data=raw, headers=json_type)
    assert status == 400
    assert publisher.take() == []


async def test_a_view_needs_no_body(call):
    """The documented curl sends none; one that is sent is not read."""
    story = await create(call)
    path = f"/stories/{story['id']}/view"
    assert (await call(FRIEND, "POST", path))[0] == 200
    assert (await call(FRIEND, "POST", path, data=b"{"))[0] == 200
