"""How long the key of a message is kept, and what comes after."""

from datetime import timedelta

from models.collections import retention_of
from tests.chat_world import ANN, CHANNEL


async def test_a_message_sent_again(chat, join, clock, database):
    """The key of a message outlives the longest time offline; after that it is a new message."""
    await join(ANN)
    message = {"content": "hello", "message_type": "text", "client_id": "k"}
    first = await chat.messages.send(ANN, CHANNEL, **message)
    clock.move(timedelta(days=30))
    await chat.sweep()
    assert (await chat.messages.send(ANN, CHANNEL, **message))["seq"] == first["seq"]
    clock.move(retention_of("chat_sends").duration - timedelta(days=30))
    await chat.sweep()
    assert await database["chat_sends"].find({}).to_list(None) == []
    assert (await chat.messages.send(ANN, CHANNEL, **message))["seq"] == first["seq"] + 1


async def test_a_key_forgotten_in_the_middle(chat, join, database):
    """A send whose key is swept between its two looks at it takes a new place."""
    await join(ANN)
    sends = database["chat_sends"]
    message = {"content": "hello", "message_type": "text", "client_id": "k"}
    await chat.messages.send(ANN, CHANNEL, **message)
    await chat.messages.send(ANN, CHANNEL, content="other", message_type="text")
    [sent] = await sends.find({}).to_list(None)
    await database["chat_messages"].delete_many({"seq": sent["seq"]})
    swept = _SweptOnce(sends, sent["_id"])
    chat.messages._sending._sends = swept
    again = await chat.messages.send(ANN, CHANNEL, **message)
    assert swept.is_swept
    assert again["seq"] in (sent["seq"], 3)


class _SweptOnce:
    """A collection whose document is deleted as soon as an insert has met it."""

    def __init__(self, collection, _id):
        self._collection = collection
        self._id = _id
        self.is_swept = False

    async def insert_one(self, document):
        try:
            await self._collection.insert_one(document)
        finally:
            if not self.is_swept:
                self.is_swept = True
                await self._collection.delete_one({"_id": self._id})

    def __getattr__(self, name):
        return getattr(self._collection, name)
