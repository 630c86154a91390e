"""Who looks after the market: named by account id, because e-mail addresses prove nothing."""

from collections.abc import Collection

from models.errors import Forbidden
from models.identity import Identity


class Operators:
    """The accounts that may add products, confirm deliveries and refund."""

    def __init__(self, account_ids: Collection[str] = (), *, everyone_adds: bool = False) -> None:
        self._account_ids = frozenset(account_ids)
        self._everyone_adds = everyone_adds

    def includes(self, caller: Identity) -> bool:
        """Whether the caller is an operator."""
        return caller.account_id in self._account_ids

    def check(self, caller: Identity) -> None:
        """Refuse anyone who is not an operator.

        Raises:
            Forbidden: code `not_an_operator`.
        """
        if not self.includes(caller):
            raise Forbidden("Only operators may do this.", code="not_an_operator")

    def may_create_products(self, caller: Identity) -> bool:
        """Whether the caller may add products: operators, and in development everyone."""
        return self._everyone_adds or self.includes(caller)
