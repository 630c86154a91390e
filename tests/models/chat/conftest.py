"""Chat on the store that is open, and people connected to it."""

import pytest

from tests.chat_world import CHANNEL, Hall, chat_on, open_channel


@pytest.fixture
def hall():
    return Hall()


@pytest.fixture
async def chat(database, hall, clock):
    made = chat_on(database, hall, clock)
    await made.prepare()
    await open_channel(made, hall)
    return made


@pytest.fixture
def connect(chat, hall):
    """Return a connection that has arrived, in the chat of this process or of another."""

    async def connect(identity, process=chat):
        connection = hall.connect(identity)
        await process.presence.arrived(connection, identity.account_id)
        return connection

    return connect


@pytest.fixture
def join(chat, connect):
    """Return a connection that has joined a channel, and has heard nothing yet."""

    async def join(identity, channel=CHANNEL, process=chat):
        connection = await connect(identity, process)
        await process.join(identity, connection, channel)
        connection.take()
        return connection

    return join
