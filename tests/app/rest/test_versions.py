"""`ETag` and `If-Match`: the version of a thing over REST."""

import pytest

ROOT = "/api/v1/diary/entries"


@pytest.fixture
async def call(serve, listening):
    """Send a request; returns status, ETag and body."""
    server = await serve()
    token = await server.token("ann")

    async def call(method, path, body=None, **headers):
        sent = {"Authorization": f"Bearer {token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with listening.http.request(
            method, server.url + path, json=body, headers=sent
        ) as response:
            found = await response.json() if response.status != 204 else None
            return response.status, response.headers.get("ETag"), found

    return call


@pytest.fixture
async def entry(call):
    """The path of an entry in its first version."""
    status, etag, made = await call("POST", ROOT, {"text": "one"})
    assert (status, etag) == (201, '"1"')
    return f"{ROOT}/{made['id']}"


async def test_a_change_of_the_version_that_was_read(call, entry):
    """What was read says its version; a change that names an earlier one is 412."""
    assert (await call("GET", entry))[:2] == (200, '"1"')
    assert (await call("PATCH", entry, {"text": "two"}, If_Match='"1"'))[:2] == (200, '"2"')
    status, _, problem = await call("PATCH", entry, {"text": "three"}, If_Match='"1"')
    assert (status, problem["code"]) == (412, "version_conflict")
    assert (await call("PATCH", entry, {"text": "three", "if_version": 1}))[0] == 412
    assert (await call("DELETE", entry, If_Match='"1"'))[0] == 412
    assert (await call("DELETE", f"{entry}?if_version=1"))[0] == 412
    assert (await call("GET", entry))[2]["text"] == "two"
    assert (await call("PATCH", entry, {"text": "three"}, If_Match="*"))[:2] == (200, '"3"')
    assert (await call("DELETE", entry, If_Match='"3"'))[0] == 204
    assert (await call("GET", entry))[0] == 404


@pytest.mark.parametrize("wanted", ['W/"1"', '"one"', "1", '"01"', '"0"', '"-1"', f'"{2**60}"'])
async def test_what_is_no_version_of_it(call, entry, wanted):
    """An ETag of something else is of no version."""
    assert (await call("PATCH", entry, {"text": "two"}, If_Match=wanted))[0] == 412


async def test_two_versions_are_refused(call, entry):
    """A change is of one version, however it is named."""
    for body, wanted in (({"if_version": 2}, '"1"'), ({}, '"1", "2"')):
        status, _, problem = await call("PATCH", entry, body | {"text": "two"}, If_Match=wanted)
        assert (status, problem["code"]) == (422, "invalid")
        assert list(problem["errors"]) == ["if_version"]
    assert (await call("PATCH", entry, {"text": "two", "if_version": 1}, If_Match='"1"'))[0] == 200


@pytest.mark.parametrize("version", [0, -1, 1.5, "one", True, 2**53])
async def test_versions_are_whole_numbers(call, entry, version):
    """Anything else is refused at its field."""
    status, _, problem = await call("PATCH", entry, {"text": "two", "if_version": version})
    assert (status, list(problem["errors"])) == (422, ["if_version"])
