"""A process that sends messages until it is killed, and prints the seq of each acknowledged one.

Run as `python -m tests.models.chat.sender FOLDER DATABASE`.
"""

import asyncio
import os
import sys
from dataclasses import replace

from app.settings import Settings
from app.store import open_store
from models.times import now
from tests.chat_world import ANN, CHANNEL, Hall, chat_on


async def main(folder: str, name: str) -> None:
    os.environ["DATA_DIR"] = folder
    store = await open_store(replace(Settings.from_env(), mongodb_database=name))
    chat = chat_on(store.database, Hall(), now)
    n = 0
    while True:
        n += 1
        sent = await chat.messages.send(
            ANN, CHANNEL, content=str(n), message_type="text", client_id=str(n)
        )
        sys.stdout.write(f"{sent['seq']}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
