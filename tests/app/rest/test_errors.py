"""Every failure of a request is a problem document (RFC 9457)."""

import logging
import re

import pytest
from aiohttp import web

from app.rest.errors import HTTP_CODES, problems
from app.storage.faults import Locked
from models import errors
from models.error_codes import CATALOGUE
from models.files import TooLarge
from tests.test_imports import ROOT


@pytest.fixture
async def fail(listening):
    """Return status, headers and body of a request whose handler raises."""

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
        (errors.Unauthorized("m", code="token_invalid"), 401),
        (errors.Forbidden("m"), 403),
        (errors.NotFound("m"), 404),
        (errors.Conflict("m", code="email_taken"), 409),
        (errors.Invalid("m"), 422),
        (errors.TooManyRequests("m"), 429),
        (errors.Unavailable("m"), 503),
        (Locked("m"), 503),
        (TooLarge(1), 413),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_each_kind_has_its_status(fail, error, status):
    """The promised status, the stable code, the message for people."""
    answer, headers, body = await fail(error)
    assert answer == status
    assert (body["status"], body["code"], body["detail"]) == (status, error.code, error.message)
    assert body["type"] == "about:blank"
    assert body["title"]
    assert "errors" not in body
    assert headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


async def test_wrong_fields_are_named(fail):
    """`errors` holds the messages by field."""
    _, _, body = await fail(
        errors.Invalid("m", code="payment_amount", fields={"text": ["Too long."]})
    )
    assert (body["code"], body["errors"]) == ("payment_amount", {"text": ["Too long."]})


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1, "1"), (1.01, "2"), (59.5, "60")])
async def test_retry_after_is_in_whole_seconds(fail, seconds, header):
    """Rounded up: who comes back then is not refused again."""
    _, headers, body = await fail(errors.TooManyRequests("m", retry_after_s=seconds))
    assert str(body["retry_after"]) == headers["Retry-After"]
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


def test_aiohttps_refusals_have_codes_of_their_status():
    """The code of each status is one with that status."""
    assert all(CATALOGUE[code].status == status for status, code in HTTP_CODES.items())


def test_each_refusal_that_is_raised_has_a_code():
    """A handler that raises one of aiohttp's refusals raises one that has a code."""
    raised = {
        name
        for file in (ROOT / "app").rglob("*.py")
        for name in re.findall(r"raise web\.(HTTP\w+)", file.read_text("utf-8"))
    }
    assert len(raised) > 3
    assert {getattr(web, name).status_code for name in raised} <= set(HTTP_CODES)


async def test_a_refusal_without_a_code_is_answered(fail):
    """Whatever aiohttp comes to raise: a code of the catalogue, with its status."""
    status, _, body = await fail(web.HTTPPreconditionFailed())
    assert (status, body["code"]) == (400, "bad_request")
    status, _, body = await fail(web.HTTPBadGateway())
    assert (status, body["code"]) == (500, "internal")


async def test_a_redirect_is_no_problem(fail):
    """What is not a failure passes as it is."""
    status, headers, body = await fail(web.HTTPFound("/elsewhere"))
    assert (status, headers["Location"], body) == (302, "/elsewhere", None)


async def test_an_unknown_address_is_a_problem(server):
    """Addresses and methods that are not there answer like everything else."""
    assert (await server.call(None, "GET", "/nowhere"))[1]["code"] == "not_found"
    assert (await server.call(None, "PUT", "/stories"))[1]["code"] == "method_not_allowed"
