"""Decimal ids that count up. `counters`: `_id` the name, `value` the last number given."""

from pymongo.errors import DuplicateKeyError

from models.database import Collection


async def next_number(counters: Collection, name: str) -> int:
    """Take the next number of a counter, 1 first; one that is not used leaves a gap."""
    while True:
        try:
            counter = await counters.find_one_and_update(
                {"_id": name}, {"$inc": {"value": 1}}, upsert=True, return_document=True
            )
        except DuplicateKeyError:
            # Two first numbers at once: the other one made the counter.
            continue
        assert counter is not None
        number: int = counter["value"]
        return number
