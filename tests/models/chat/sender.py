"""A process that sends a message for each line it reads, and prints the acknowledged numbers.

Run as `python -m tests.models.chat.sender FOLDER DATABASE`.
"""

import asyncio
import os
import sys
from dataclasses import replace
from itertools import count

from app.settings import Settings
from app.storage import open_store
from models.times import now
from tests.chat_world import ANN, CHANNEL, Hall, chat_on


async def main(folder: str, name: str) -> None:
    os.environ["DATA_DIR"] = folder
    store = await open_store(replace(Settings.from_env(), mongodb_database=name))
    chat = chat_on(store.database, Hall(), now)
    for n in count(1):
        await asyncio.to_thread(sys.stdin.readline)
        sent = await chat.messages.send(
            ANN, CHANNEL, content=str(n), message_type="text", client_id=str(n)
        )
        sys.stdout.write(f"{sent['seq']}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
