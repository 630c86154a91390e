"""Every failure of a request is a problem document (RFC 9457)."""

import logging

import pytest
from aiohttp import web

from app.rest.errors import STATUS, problems
from models import errors


def kinds():
    return [kind for kind in vars(errors).values() if is_kind(kind)]


def is_kind(value):
    return (
        isinstance(value, type)
        and issubclass(value, errors.DomainError)
        and value is not errors.DomainError
    )


@pytest.fixture
async def fail(listening):
    """Give status, headers and body of a request whose handler raises."""

    async def fail(error, path="/"):
        app = web.Application(middlewares=[problems])

        async def handler(request):
            raise error

        app.router.add_get(r"/{path:[\s\S]*}", handler)
        url = await listening.start(app)
        async with listening.http.get(url + path, allow_redirects=False) as response:
            is_problem = response.content_type == "application/problem+json"
            body = await response.json(content_type=None) if is_problem else None
            return response.status, response.headers, body

    return fail


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Unreadable("m"), 400),
        (errors.Unauthorized("m"), 401),
        (errors.Forbidden("m"), 403),
        (errors.NotFound("m"), 404),
        (errors.Conflict("m"), 409),
        (errors.Invalid("m"), 422),
        (errors.TooManyRequests("m"), 429),
        (errors.Unavailable("m"), 503),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_each_kind_has_its_status(fail, error, status):
    """The promised status, the stable code, the message for people."""
    answer, headers, body = await fail(error)
    assert answer == status
    assert (body["status"], body["code"], body["detail"]) == (status, type(error).code, "m")
    assert body["type"] == "about:blank"
    assert body["title"]
    assert "errors" not in body
    assert headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


def test_no_kind_is_without_a_status():
    """A kind that is added to the domain's errors must be given one."""
    assert set(STATUS) == set(kinds())


async def test_wrong_fields_are_named(fail):
    """`errors` holds the messages by field."""
    _, _, body = await fail(errors.Invalid("m", code="bad", fields={"text": ["Too long."]}))
    assert (body["code"], body["errors"]) == ("bad", {"text": ["Too long."]})


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1, "1"), (1.01, "2"), (59.5, "60")])
async def test_retry_after_is_in_whole_seconds(fail, seconds, header):
    """Rounded up: who comes back then is not refused again."""
    _, headers, _ = await fail(errors.TooManyRequests("m", retry_after_s=seconds))
    assert headers["Retry-After"] == header


async def test_an_unknown_error_tells_nothing(fail, caplog):
    """The client gets `internal`, the log the traceback, in lines that no path can forge."""
    path = "/a%0AERROR%20forged"
    status, _, body = await fail(RuntimeError("the secret is in here"), path)
    assert (status, body["code"]) == (500, "internal")
    assert "secret" not in str(body)
    (record,) = [record for record in caplog.records if record.name == "app.rest.errors"]
    assert record.levelno == logging.ERROR
    assert record.exc_info[0] is RuntimeError
    assert record.getMessage() == f"unexpected error in GET {path}"


async def test_aiohttps_own_refusals_are_problems(fail):
    """A refusal by the framework has the same form, and keeps what the client needs of it."""
    status, headers, body = await fail(web.HTTPMethodNotAllowed("GET", ["POST"]))
    assert (status, headers["Allow"], body["code"]) == (405, "POST", "method_not_allowed")
    status, _, body = await fail(web.HTTPRequestEntityTooLarge(1, 2))
    assert (status, body["code"]) == (413, "request_too_large")


async def test_a_redirect_is_no_problem(fail):
    """What is not a failure passes as it is."""
    status, headers, body = await fail(web.HTTPFound("/elsewhere"))
    assert (status, headers["Location"], body) == (302, "/elsewhere", None)


async def test_an_unknown_address_is_a_problem(server):
    """Addresses and methods that are not there answer like everything else."""
    assert (await server.call(None, "GET", "/nowhere"))[1]["code"] == "not_found"
    assert (await server.call(None, "PUT", "/stories"))[1]["code"] == "method_not_allowed"
