"""A process that trades until it is killed or done, and prints what was acknowledged.

Run as `python -m tests.models.market.trader NAME COUNT PRODUCT [SIDE]`; the database is the one of
the environment. Without a side it places bids and asks in turn, several at a time.
"""

import asyncio
import json
import sys

from app.settings import Settings
from app.storage import open_store
from tests.market_world import SIZE, build_market
from tests.stories_world import person

AT_ONCE = 5


async def main(name: str, count: int, product_id: str, only: str | None) -> None:
    store = await open_store(Settings.from_env())
    market = build_market(store.database)

    async def place(number: int) -> None:
        side = only or ("bid", "ask")[number % 2]
        # Bids and asks are of different people; prices cross now and then.
        who = person(f"{1_000 * (int(name) + 1) + number % 7 * 2 + (side == 'ask')}")
        offer = await market.trading.place(
            who,
            side,
            product_id=product_id,
            size=SIZE,
            price=20_000 if only else 20_000 + number * 7 % 5 * 100,
            operation_id=f"{name}-{number}",
        )
        sys.stdout.write(json.dumps({"id": offer["id"], "status": offer["status"]}) + "\n")
        sys.stdout.flush()

    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count))
        await asyncio.gather(*map(place, numbers))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], *(sys.argv[4:] or [None])))
