"""`GET /api/v1/users`: people by id, and by name among those whom one knows."""

import pytest

from tests.chat_doors import befriend

PATH = "/api/v1/users"


@pytest.fixture
async def town(serve):
    """A server, and a way to make its people."""
    return await serve(lookups_per_minute=30)


async def settle(server, name, **more):
    email = f"{name.partition(' ')[0].lower()}@example.com"
    return await server.accounts.sign_up(email, "password123", name, **more)


async def search(server, account, text, **more):
    query = "&".join(f"{key}={value}" for key, value in {"q": text, **more}.items())
    status, answer = await server.call(server.issue(account), "GET", f"{PATH}?{query}")
    assert status == 200
    assert answer["next"] is None
    return [person["name"] for person in answer["items"]]


def shown(user_id, name, kind):
    """What is said of a person without a picture who is known by their account's id."""
    return {"id": user_id, "public_id": user_id, "name": name, "kind": kind, "picture": None}


async def join(server, account, channel):
    path = f"/api/v1/conversations/{channel}/messages"
    status, _ = await server.call(server.issue(account), "POST", path, {"content": "hello"})
    return status


async def channel_of(server, owner, *others):
    """Open a public channel in which all of them have written."""
    body = {"name": "square", "private": False}
    status, _ = await server.call(server.issue(owner), "POST", "/api/v1/channels", body)
    assert status == 201
    for each in (owner, *others):
        assert await join(server, each, "square") == 201


async def test_people_are_shown_by_their_ids(town):
    """Each has a name, ids, a kind, a picture; the gone and the unknown look alike."""
    ann, ben, cat = [await settle(town, name) for name in ("Ann", "Ben", "Cat")]
    await town.call(town.issue(cat), "DELETE", "/api/v1/auth/me", {"password": "password123"})
    path = f"{PATH}?ids={ben.id},12345,{cat.id},{ben.id}"
    status, answer = await town.call(town.issue(ann), "GET", path)
    assert status == 200
    assert answer == {
        "items": [
            shown(ben.id, "Ben", "account"),
            shown("12345", None, "unknown"),
            shown(cat.id, None, "unknown"),
        ],
        "next": None,
    }


async def test_who_has_not_answered_is_not_who_is_gone(town):
    """An address is an alias until its owner answers, and so is one that has no owner."""
    ann, ben, cat = [await settle(town, name) for name in ("Ann", "Ben", "Cat")]
    dan = await town.accounts.sign_up("dan@example.com", "password123", None)
    aliases, conversations = [], []
    for address in ("ben@example.com", "nobody@example.com"):
        body = {"participants": [address]}
        _, made = await town.call(town.issue(ann), "POST", "/api/v1/conversations", body)
        conversations.append(made["id"])
        _, whole = await town.call(town.issue(ann), "GET", f"/api/v1/conversations/{made['id']}")
        aliases += [each for each in whole["member_ids"] if each != ann.id]
    assert ben.id not in aliases
    expected = [shown(each, None, "alias") for each in aliases]
    expected += [shown(dan.id, None, "account"), shown("12345", None, "unknown")]
    path = f"{PATH}?ids={','.join(each['id'] for each in expected)}"
    _, answer = await town.call(town.issue(ann), "GET", path)
    assert answer["items"] == expected
    # They are the caller's own: to others they are ids that no account has.
    _, answer = await town.call(town.issue(cat), "GET", f"{PATH}?ids={','.join(aliases)}")
    assert answer["items"] == [shown(each, None, "unknown") for each in aliases]
    accept = f"/api/v1/conversations/{conversations[0]}/accept"
    await town.call(town.issue(ben), "POST", accept, {})
    _, answer = await town.call(town.issue(ann), "GET", f"{PATH}?ids={aliases[0]},{ben.id}")
    assert answer["items"] == [shown(aliases[0], None, "alias"), shown(ben.id, "Ben", "account")]
    assert (await search(town, ann, "ben")) == ["Ben"]
    # Who is gone after an answer has not "not answered yet"; of who was silent nothing is told.
    for account in (ben, dan):
        own = {"password": "password123"}
        assert (await town.call(town.issue(account), "DELETE", "/api/v1/auth/me", own))[0] == 204
    body = {"participants": ["eve@example.com"]}
    eve = await settle(town, "Eve")
    _, made = await town.call(town.issue(ann), "POST", "/api/v1/conversations", body)
    path = f"/api/v1/conversations/{made['id']}"
    _, whole = await town.call(town.issue(ann), "GET", path)
    silent = next(each for each in whole["member_ids"] if each != ann.id)
    await town.call(town.issue(eve), "DELETE", "/api/v1/auth/me", own)
    ids = f"{aliases[0]},{aliases[1]},{silent},{dan.id}"
    _, answer = await town.call(town.issue(ann), "GET", f"{PATH}?ids={ids}")
    kinds = [each["kind"] for each in answer["items"]]
    assert kinds == ["unknown", "alias", "alias", "unknown"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?ids=1&q=ann",
        "?ids=",
        "?ids=1,,2",
        f"?ids={','.join(map(str, range(101)))}",
        "?q=ann&limit=51",
        "?name=ann",
        f"?q={'n' * 255}",
    ],
)
async def test_other_queries_are_refused(town, query):
    """What names nobody, or too many, is a 422 that says which parameter."""
    ann = await settle(town, "Ann")
    status, answer = await town.call(town.issue(ann), "GET", PATH + query)
    assert (status, answer["code"]) == (422, "invalid")
    assert answer["errors"]


async def test_people_are_for_accounts_only(town):
    """Without a token nothing is told."""
    status, answer = await town.call(None, "GET", f"{PATH}?ids=1")
    assert (status, answer["code"]) == (401, "token_missing")


async def test_names_are_found_where_one_meets(town):
    """A part of a name finds members of a shared channel, in any spelling; not strangers."""
    ann, ben, eve = [await settle(town, name) for name in ("Ann", "Bén O'Hara", "Eve Bénson")]
    assert await search(town, ann, "bén") == []
    await channel_of(town, ann, ben)
    assert await search(town, ann, "BÉN") == ["Bén O'Hara"]
    assert await search(town, ann, "o\u2019ha") == ["Bén O'Hara"]
    assert await search(town, ann, "bén o") == ["Bén O'Hara"]
    assert await search(town, ben, "ann") == ["Ann"]
    # Nothing of an e-mail address finds a member, and nobody finds themselves.
    assert await search(town, eve, "ann") == []
    assert await search(town, ben, "example") == []
    assert await search(town, ann, "ben@example.com") == []
    assert await search(town, ann, "ann") == []
    await town.call(town.issue(ben), "POST", "/api/v1/channels/square/leave")
    assert await search(town, ann, "bén") == []


async def test_contacts_come_first_and_are_found_by_address(town):
    """A whole e-mail or phone number finds a contact, and does not tell a stranger's."""
    ann, _ben, cat = [
        await settle(town, "Ann"),
        await settle(town, "Ben", phone="+84912345678"),
        await settle(town, "Abel"),
    ]
    await channel_of(town, ann, cat)
    assert await search(town, ann, "ben%40example.com") == []
    assert await search(town, ann, "%2B84912345678") == []
    await befriend(town, "ann", "ben")
    assert await search(town, ann, "Ben%40example.com") == ["Ben"]
    assert await search(town, ann, "%2B84912345678") == ["Ben"]
    assert await search(town, ann, "84912345678") == []
    assert await search(town, ann, "") == ["Ben", "Abel"]
    assert await search(town, ann, "", limit=1) == ["Ben"]


async def test_who_has_not_answered_is_not_found(town):
    """A conversation that a stranger has begun does not let it find the other side."""
    ann, ben = [await settle(town, name) for name in ("Ann", "Ben")]
    path = "/api/v1/conversations"
    status, _ = await town.call(
        town.issue(ann), "POST", path, {"participants": ["ben@example.com"]}
    )
    assert status == 201
    assert await search(town, ann, "ben") == []
    assert await search(town, ben, "ann") == []


async def test_one_budget_for_all_look_ups(serve):
    """Searching, opening conversations and sharing goals use up the same."""
    town = await serve(lookups_per_minute=3)
    ann = await settle(town, "Ann")
    token = town.issue(ann)
    assert await search(town, ann, "b") == []
    body = {"participants": ["77777"]}
    status, _ = await town.call(token, "POST", "/api/v1/conversations", body)
    assert status == 201
    goal = {"title": "Run", "kind": "number", "target": 100, "unit": "km", "members": ["88888"]}
    status, _ = await town.call(token, "POST", "/api/v1/diary/goals", goal)
    assert status == 201
    status, answer = await town.call(token, "GET", f"{PATH}?q=b")
    assert (status, answer["code"]) == (429, "too_many_lookups")
