"""What is traded: products, which never change once they are there."""

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from pymongo.errors import DuplicateKeyError

from models.database import Database, typed
from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.idempotency import Idempotency
from models.identity import Identity
from models.market.journal import book_id
from models.market.operators import Operators
from models.market.records import product_view, quote_view
from models.market.stored import StoredBook, StoredProduct, StoredSku
from models.market.views import ProductView, QuotedProductView
from models.numbers import next_number
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.text import fold, found_by
from models.times import Clock

REMEMBERED = 10_000
"""Products kept in memory, about 1 KB each; every bid and ask looks at one."""

PRODUCTS = "/api/v1/products"
"""The operation of making one, as keys of clients are kept."""


def search_text(name: str, sku: str) -> str:
    """Return the text in which a product is looked for."""
    return found_by(f"{name.strip()} {sku}")


class Products:
    """The catalogue."""

    def __init__(self, database: Database, operators: Operators, clock: Clock) -> None:
        self._products = typed(database["market_products"], StoredProduct)
        self._skus = typed(database["market_skus"], StoredSku)
        self._books = typed(database["market_books"], StoredBook)
        self._counters = database["counters"]
        self._answers = Idempotency(database, clock=clock)
        self._operators = operators
        self._clock = clock
        self.before_quotes: Callable[[Collection[str]], Awaitable[None]] | None = None
        """Takes what has expired out of the books of products; set by the part that has them."""

        self._remembered: OrderedDict[str, StoredProduct] = OrderedDict()

    async def prepare(self) -> None:
        """Make the index of the list."""
        await self._products.create_index([("created_at", -1), ("_id", -1)])

    async def create(
        self,
        caller: Identity,
        *,
        name: str,
        sku: str,
        sizes: list[str],
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> ProductView:
        """Add a product; values as `CreateProduct` loads them. The same operation adds it once.

        Raises:
            Forbidden: the caller is no operator.
            Conflict: code `sku_taken`.
            Invalid: code `key_reused`.
        """
        async with self._answers.once(
            caller.account_id,
            PRODUCTS,
            client_id=client_id,
            operation_id=operation_id,
            content={"name": name, "sku": sku, "sizes": sizes},
        ) as operation:
            return await self._create(caller, operation.id, name=name, sku=sku, sizes=sizes)

    async def _create(
        self, caller: Identity, operation_id: str, *, name: str, sku: str, sizes: list[str]
    ) -> ProductView:
        if not self._operators.may_create_products(caller):
            raise Forbidden("Only operators add products.", code="not_an_operator")
        product: StoredProduct = {
            "_id": str(await next_number(self._counters, "market_products")),
            "name": name.strip(),
            "sku": sku,
            "sizes": sizes,
            "search": search_text(name, sku),
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
            return product_view(claim["product"])
        await self._keep(product)
        return product_view(product)

    async def _keep(self, product: StoredProduct) -> None:
        with suppress(DuplicateKeyError):  # it is there
            await self._products.insert_one(product.copy())

    async def get(self, product_id: str) -> ProductView:
        """Return a product."""
        return product_view(await self.find(product_id))

    async def search(
        self, *, q: str | None = None, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[QuotedProductView]:
        """Return a page of products, newest first, those with all words of `q` in name or SKU."""
        query: dict[str, object] = {}
        words = dict.fromkeys(fold(q).split()) if q is not None else ()
        if words:
            query["$and"] = [{"search": {"$regex": re.escape(word)}} for word in words]
        if after:
            query["$or"] = after.following("created_at")
        found = (
            await self._products.find(query)
            .sort(newest_first("created_at"))
            .limit(limit + 1)
            .to_list(None)
        )
        shown, following = cut(found, limit, "created_at")
        if self.before_quotes is not None:
            await self.before_quotes({product["_id"] for product in shown})
        return {"items": await self._quoted(shown), "next": following}

    async def _quoted(self, products: list[StoredProduct]) -> list[QuotedProductView]:
        """Return products with the prices of each of their sizes."""
        ids = [book_id(product["_id"], size) for product in products for size in product["sizes"]]
        books = {book["_id"]: book for book in await self._books.find_ids(ids)} if ids else {}
        return [
            {
                **product_view(product),
                "quotes": [
                    quote_view(size, books.get(book_id(product["_id"], size)))
                    for size in product["sizes"]
                ],
            }
            for product in products
        ]

    async def find(self, product_id: str) -> StoredProduct:
        """Return the stored product.

        Raises:
            NotFound: code `product_not_found`.
        """
        remembered = self._remembered.get(product_id)
        if remembered is not None:
            self._remembered.move_to_end(product_id)
            return remembered
        product = await self._products.find_one({"_id": product_id})
        if product is None:
            raise NotFound("There is no such product.", code="product_not_found")
        self._remembered[product_id] = product
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return product

    async def in_size(self, product_id: str, size: str) -> StoredProduct:
        """Return the stored product, which must come in `size`.

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
