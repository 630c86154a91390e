"""The funnel through which every command runs, whichever transport it came by."""

import logging

import pytest

from models.identity import Identity
from namespaces.base import Caller

UNKNOWN = "unknown_command"


class NoConnection:
    """A connection that keeps the names of its rooms."""

    def __init__(self):
        self.rooms = []

    def enter(self, room):
        self.rooms.append(room)

    def leave(self, room):
        self.rooms.remove(room)


@pytest.fixture
def caller():
    return Caller(Identity("7", None, "7"), NoConnection())


@pytest.fixture
def run(commands, caller):
    async def run(name, payload):
        return await commands.run(caller, name, payload)

    return run


async def test_an_answer_holds_the_data(run):
    """What the method returns is the answer's `data`, also when it is nothing."""
    assert await run("double", {"amount": 21}) == {"data": {"amount": 42, "account": "7"}}
    assert await run("nothing", {}) == {"data": None}


@pytest.mark.parametrize(
    "name",
    [
        "no_such_command",
        "",
        "not_marked",
        "run_of_the_mill",
        "_private",
        "_run",
        "__init__",
        "__class__",
        "run",
        "rooms_of",
        "domain",
        "begun",
        "double.__call__",
        "DOUBLE",
        "7",
    ],
)
async def test_only_marked_methods_are_commands(run, name):
    """Private, unmarked and inherited machinery cannot be called, and is not told apart."""
    answer = await run(name, {})
    assert answer == {
        "error": {"code": UNKNOWN, "message": "There is no such command in /stories."}
    }


@pytest.mark.parametrize("payload", [None, [], [1], "text", 7, True, b"bytes"], ids=repr)
async def test_a_payload_is_one_object(run, payload):
    """Anything but an object is invalid for every command."""
    answer = await run("nothing", payload)
    assert answer["error"]["code"] == "invalid"
    assert "fields" not in answer["error"]


async def test_wrong_fields_are_named(run):
    """The answer says what is wrong with which field."""
    answer = await run("double", {"amount": "many", "extra": 1})
    assert set(answer) == {"error"}
    assert answer["error"]["code"] == "invalid"
    assert set(answer["error"]["fields"]) == {"amount", "extra"}
    assert all(isinstance(messages, list) for messages in answer["error"]["fields"].values())


async def test_a_refusal_of_the_domain_is_an_error(run):
    """Code and message are the domain's; `retry_after` is in seconds."""
    assert await run("conflict", {}) == {
        "error": {"code": "channel_taken", "message": "Somebody was first."}
    }
    assert await run("busy", {}) == {
        "error": {"code": "too_many_requests", "message": "Slow down.", "retry_after": 1.235}
    }


async def test_a_crash_is_answered_and_logged_without_the_payload(run, caplog):
    """The client learns `internal` and nothing more; the log names command and account."""
    with caplog.at_level(logging.DEBUG):
        answer = await run("crash", {"amount": 987654321})
    assert answer["error"]["code"] == "internal"
    assert "secret" not in str(answer)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "crash of stories failed for account 7"
    assert record.exc_info[0] is RuntimeError
    assert "987654321" not in caplog.text


async def test_commands_reach_the_connection_they_came_by(run, caller):
    """A command puts the caller's own connection into a room, and takes it out."""
    await run("enter", {})
    assert caller.connection.rooms == ["a room"]
    await run("leave", {})
    assert caller.connection.rooms == []
