"""The port to what moves the money, and the two that need nothing else.

Each call names what it is about by an id that never changes (a payment, a payout), so that asking
again after a crash moves nothing twice.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from models.errors import Invalid

TEST_CARD_GOOD = "4242424242424242"
TEST_CARD_DECLINED = "4000000000000002"


class Charge(Enum):
    """What became of a charge."""

    PAID = "paid"
    FAILED = "failed"
    PENDING = "pending"
    """The buyer pays at the provider, whose webhook will report it."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a front end needs to let the buyer pay, in its own form or on the provider's page."""

    payment_id: str
    client_secret: str
    url: str


CARDS_ELSEWHERE = "Cards are given to the payment provider only."


class PaymentProvider(Protocol):
    """Moves money; amounts are US cents."""

    makes_refunds: bool
    """Whether `refund` moves money; otherwise refunds are made at the provider, by hand."""

    async def charge(self, payment_id: str, *, cents: int, card_number: str | None) -> Charge:
        """Take the buyer's money, once for each `payment_id`.

        Raises:
            Invalid: nothing to pay with.
        """

    async def checkout(self, order_id: str, *, cents: int, what: str) -> Checkout | None:
        """Return what the buyer pays with after a pending `charge`, the same for each order.

        None for a provider that is connected to the front end in another way.
        """

    async def refund(self, payment_id: str) -> bool:
        """Return what is left of a payment, once for each `payment_id`.

        Return False when a webhook will tell that it has been given back.
        """

    async def pay_out(self, order_id: str, *, account_id: str, cents: int) -> bool:
        """Return the seller the money, once for each order; False when a webhook will report it."""


class TestPayments:
    """For development: a test card number decides, and no money moves."""

    __test__ = False
    makes_refunds = True

    async def charge(self, payment_id: str, *, cents: int, card_number: str | None) -> Charge:
        """Pay with 4242 4242 4242 4242, be declined with 4000 0000 0000 0002."""
        if card_number == TEST_CARD_GOOD:
            return Charge.PAID
        if card_number == TEST_CARD_DECLINED:
            return Charge.FAILED
        message = f"Use a test card: {TEST_CARD_GOOD} pays, {TEST_CARD_DECLINED} is declined."
        raise Invalid("Some fields are not valid.", fields={"card_number": [message]})

    async def checkout(self, order_id: str, *, cents: int, what: str) -> Checkout | None:
        """Return nothing: cards are charged at once."""
        return None

    async def refund(self, payment_id: str) -> bool:
        """Be done at once: nothing was taken."""
        return True

    async def pay_out(self, order_id: str, *, account_id: str, cents: int) -> bool:
        """Be done at once."""
        return True


class WebhookPayments:
    """For production: buyers pay at the provider, which reports everything by signed webhooks."""

    makes_refunds = False

    async def charge(self, payment_id: str, *, cents: int, card_number: str | None) -> Charge:
        """Wait for the webhook; card numbers have no business here."""
        if card_number is not None:
            raise Invalid("Some fields are not valid.", fields={"card_number": [CARDS_ELSEWHERE]})
        return Charge.PENDING

    async def checkout(self, order_id: str, *, cents: int, what: str) -> Checkout | None:
        """Return nothing: the front end is connected to the provider itself."""
        return None

    async def refund(self, payment_id: str) -> bool:
        """Do nothing: it is made at the provider."""
        return False

    async def pay_out(self, order_id: str, *, account_id: str, cents: int) -> bool:
        """Wait for the webhook."""
        return False
