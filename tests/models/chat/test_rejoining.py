"""A connection that comes back hears what it heard, if nothing has changed for it meanwhile."""

from datetime import timedelta

import pytest

from models.rooms import conversation_room
from tests.chat_world import ANN, BEN, CHANNEL, EVE

SECOND = timedelta(seconds=1)


class Absence:
    """A connection that is cut, and the one that comes back for it."""

    def __init__(self, chat, connect, clock, connection):
        self.chat = chat
        self.connect = connect
        self.clock = clock
        self.identity = connection.identity
        self.rooms = set(connection.rooms)
        clock.move(SECOND)
        self.places = chat.presence.places(connection)
        self.since = clock()
        self.connection = connection

    async def begin(self):
        self.connection.end()
        await self.chat.presence.left(self.connection)
        self.clock.move(SECOND)
        return self

    async def end(self):
        """Come back; whether the connection is where it was."""
        self.clock.move(SECOND)
        connection = await self.connect(self.identity)
        connection.take()
        again = await self.chat.rejoin(self.identity, connection, self.places, self.since)
        assert not again or connection.rooms == self.rooms
        self.connection = connection
        return again


@pytest.fixture
def away(chat, connect, clock):
    """Cut a connection."""

    async def away(connection):
        return await Absence(chat, connect, clock, connection).begin()

    return away


async def private_channel(chat, owner, *others):
    await chat.membership.create_channel(owner, name="den", private=True, title=None)
    names = [other.email for other in others]
    if names:
        await chat.membership.invite(owner, "den", participants=names)


async def test_it_hears_what_it_had_joined(chat, join, away):
    """Channel and conversation, seen as before; no member is made, and nobody else hears of it."""
    listener = await join(BEN)
    ann = await join(ANN)
    listener.take()
    absence = await away(ann)
    assert listener.take_names() == ["channel_left"]
    assert await absence.end()
    assert listener.take_names() == ["channel_joined"]
    await chat.messages.send(BEN, CHANNEL, content="x", message_type="text")
    assert "new_message" in absence.connection.take_names()
    assert chat.presence.places(absence.connection) == absence.places


async def test_what_it_has_joined_nowhere(chat, connect, away):
    """A connection that has joined nothing comes back to nothing."""
    absence = await away(await connect(ANN))
    assert await absence.end()


async def test_who_left_the_channel_does_not_come_back_to_it(chat, join, away):
    """At another device; also if the account has joined it again since: it has missed events."""
    absence = await away(await join(ANN))
    await chat.membership.leave(ANN, CHANNEL)
    assert not await absence.end()
    absence = await away(await join(ANN))
    await chat.membership.leave(ANN, CHANNEL)
    await join(ANN)
    assert not await absence.end()


async def test_a_private_channel_wants_its_member(chat, connect, away):
    """Who is out of it may not hear it, whatever it was before."""
    await private_channel(chat, ANN)
    connection = await connect(ANN)
    await chat.join(ANN, connection, "den")
    absence = await away(connection)
    assert await absence.end()
    absence = await away(absence.connection)
    await chat.membership.leave(ANN, "den")
    assert not await absence.end()
    assert conversation_room("den") not in absence.connection.rooms


async def test_who_follows_begins_anew_after_a_new_channel(chat, connect, clock, away):
    """The connection would have joined it, and would have heard it from then on."""
    connection = await connect(ANN)
    await chat.join(ANN, connection, CHANNEL)
    await chat.follow(ANN, connection)
    absence = await away(connection)
    assert await absence.end()
    absence = await away(absence.connection)
    other = await connect(ANN)
    await chat.join(ANN, other, "another")
    assert not await absence.end()


async def test_who_follows_begins_anew_after_a_request(chat, connect, away):
    """Who is asked into a private channel hears it from then on."""
    connection = await connect(EVE)
    await chat.follow(EVE, connection)
    absence = await away(connection)
    await private_channel(chat, ANN, EVE)
    assert not await absence.end()


async def test_a_request_that_was_answered_meanwhile(chat, connect, away):
    """The connection was not seen there, and would be seen now."""
    await private_channel(chat, ANN, EVE)
    connection = await connect(EVE)
    await chat.follow(EVE, connection)
    absence = await away(connection)
    assert await absence.end()
    absence = await away(absence.connection)
    await chat.standings.accept(EVE, "den")
    assert not await absence.end()
