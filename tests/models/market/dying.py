"""Processes that place a bid each, the nth killed right after its nth write.

Run as `python -m tests.models.market.dying PRODUCT…`: bids for each product in turn until a process
has fewer writes than that; prints how many were killed. The database is that of the environment.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from app.settings import Settings
from app.storage import open_store
from app.storage.embedded.collection import EmbeddedCollection
from app.storage.mongodb import MotorCollection
from tests.market_world import BUYER, SIZE, build_market

COLLECTION = MotorCollection if "MONGODB_URI" in os.environ else EmbeddedCollection
WRITES = ("insert_one", "update_one", "find_one_and_update", "delete_one", "delete_many")


def die_after(last: int) -> None:
    """Let this process be killed when its write number `last` is in the database."""
    written = 0

    def counting(name: str) -> None:
        original = getattr(COLLECTION, name)

        async def write(*args: Any, **options: Any) -> Any:
            nonlocal written
            result = await original(*args, **options)
            written += 1
            if written == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(COLLECTION, name, write)

    for name in WRITES:
        counting(name)


async def bid(product_id: str) -> None:
    store = await open_store(Settings.from_env())
    market = build_market(store.database)
    await market.trading.place(BUYER, "bid", product_id=product_id, size=SIZE, price=20_000)
    await store.close()


def main(products: list[str]) -> None:
    for killed, product_id in enumerate(products):
        # A fork of this process, which has no threads, spares the time of importing everything.
        child = os.fork()
        if not child:
            die_after(killed + 1)
            asyncio.run(bid(product_id))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
