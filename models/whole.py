"""Reading all that matches a query, however much it is, with little of it in memory."""

from collections.abc import AsyncIterator, Callable

from models.database import Filter, SortKeys, TypedCollection
from models.pages import Found

AT_ONCE = 10
"""Documents in memory: of the longest entries of a diary half a megabyte."""


async def documents(
    collection: TypedCollection[Found],
    query: Filter,
    order: SortKeys,
    belongs: Callable[[Found], bool],
) -> AsyncIterator[Found]:
    """Yield the documents that match `query` now, in `order`, each as it is when its turn comes.

    First only their ids are read. One that was removed since is left out, and so is one that
    `belongs` no longer accepts: it is to say of a document what `query` says.
    """
    found = collection.find(query, only=[key for key, _ in order if key != "_id"]).sort(order)
    ids: list[str] = [document["_id"] async for document in found]
    for at in range(0, len(ids), AT_ONCE):
        wanted = ids[at : at + AT_ONCE]
        there = {document["_id"]: document for document in await collection.find_ids(wanted)}
        for document_id in wanted:
            document = there.pop(document_id, None)
            if document is not None and belongs(document):
                yield document
