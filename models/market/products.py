"""What is traded: products, which never change once they are there.

`market_products`: `_id` (decimal counter as text), `name`, `sku`, `sizes`, `search` (name and SKU
folded), `created_by`, `created_at`, `operation_id`. `market_skus`: `_id` the SKU in capitals,
`product` (the whole product, so that who finds a SKU without its product can finish the job).
"""

import re
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document
from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.events import Json
from models.identity import Identity
from models.market.operators import Operators
from models.market.records import product_json
from models.numbers import next_number
from models.pages import DEFAULT_PAGE, Position, cut, newest_first
from models.times import Clock

REMEMBERED = 10_000
"""Products kept in memory, about 1 KB each; every bid and ask looks at one."""


class Products:
    """The catalogue."""

    def __init__(self, database: Database, operators: Operators, clock: Clock) -> None:
        self._products = database["market_products"]
        self._skus = database["market_skus"]
        self._counters = database["counters"]
        self._operators = operators
        self._clock = clock
        self._remembered: OrderedDict[str, Document] = OrderedDict()

    async def prepare(self) -> None:
        """Make the index of the list."""
        await self._products.create_index([("created_at", -1), ("_id", -1)])

    async def create(
        self, caller: Identity, *, name: str, sku: str, sizes: list[str], operation_id: str
    ) -> dict[str, Json]:
        """Add a product; values as `CreateProduct` loads them. The same operation adds it once.

        Raises:
            Forbidden: the caller is no operator.
            Conflict: code `sku_taken`.
        """
        if not self._operators.may_create_products(caller):
            raise Forbidden("Only operators add products.", code="not_an_operator")
        product = {
            "_id": str(await next_number(self._counters, "market_products")),
            "name": name.strip(),
            "sku": sku,
            "sizes": sizes,
            "search": f"{name.strip()} {sku}".casefold(),
            "created_by": caller.account_id,
            "created_at": self._clock(),
            "operation_id": operation_id,
        }
        key = sku.upper()
        try:
            await self._skus.insert_one({"_id": key, "product": product})
        except DuplicateKeyError:
            claim = await self._skus.find_one({"_id": key})
            assert claim is not None, "SKUs are never given back"
            await self._keep(claim["product"])
            if claim["product"]["operation_id"] != operation_id:
                raise Conflict(
                    "There is a product with this SKU.",
                    code="sku_taken",
                    fields={"sku": ["Taken."]},
                ) from None
            return product_json(claim["product"])
        await self._keep(product)
        return product_json(product)

    async def _keep(self, product: Document) -> None:
        with suppress(DuplicateKeyError):  # it is there
            await self._products.insert_one(dict(product))

    async def get(self, product_id: str) -> dict[str, Json]:
        """Give a product: `id`, `name`, `sku`, `sizes`, `created_at`."""
        return product_json(await self.find(product_id))

    async def search(
        self, *, q: str | None = None, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> dict[str, Json]:
        """Give a page of products, newest first, those with `q` in name or SKU."""
        query: dict[str, Any] = {}
        if q is not None:
            query["search"] = {"$regex": re.escape(q.casefold())}
        if after:
            query["$or"] = after.following("created_at")
        found = (
            await self._products.find(query)
            .sort(newest_first("created_at"))
            .limit(limit + 1)
            .to_list(None)
        )
        shown, following = cut(found, limit, "created_at")
        return {"items": [product_json(product) for product in shown], "next": following}

    async def find(self, product_id: str) -> Document:
        """Give the stored product.

        Raises:
            NotFound: code `product_not_found`.
        """
        product = self._remembered.get(product_id)
        if product is not None:
            self._remembered.move_to_end(product_id)
            return product
        product = await self._products.find_one({"_id": product_id})
        if product is None:
            raise NotFound("There is no such product.", code="product_not_found")
        self._remembered[product_id] = product
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return product

    async def in_size(self, product_id: str, size: str) -> Document:
        """Give the stored product, which must come in `size`.

        Raises:
            NotFound: code `product_not_found`.
            Invalid: it does not come in this size.
        """
        product = await self.find(product_id)
        if size not in product["sizes"]:
            raise Invalid(
                "The product does not come in this size.",
                code="unknown_size",
                fields={"size": [f"One of: {', '.join(product['sizes'])}."]},
            )
        return product
