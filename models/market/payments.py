"""The port to whoever moves the money, and the two that fill it.

Each call names what it is about by an id that never changes (a payment, a payout), so that asking
again after a crash moves nothing twice.
"""

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
    """The buyer pays at the provider, whose webhook will tell."""


class PaymentProvider(Protocol):
    """Moves money; amounts are US cents."""

    told_by_webhook: bool
    """Whether refunds and payouts are made at the provider, which tells of them by webhook."""

    async def charge(self, payment_id: str, *, cents: int, card_number: str | None) -> Charge:
        """Take the buyer's money, once for each `payment_id`.

        Raises:
            Invalid: nothing to pay with.
        """

    async def refund(self, payment_id: str, *, cents: int) -> None:
        """Give the buyer's money back, once for each `payment_id`."""

    async def pay_out(self, order_id: str, *, account_id: str, cents: int) -> bool:
        """Give the seller the money, once for each order; False when a webhook will tell."""


class TestPayments:
    """For development: a test card number decides, and no money moves."""

    __test__ = False
    told_by_webhook = False

    async def charge(self, payment_id: str, *, cents: int, card_number: str | None) -> Charge:
        """Pay with 4242 4242 4242 4242, be declined with 4000 0000 0000 0002."""
        if card_number == TEST_CARD_GOOD:
            return Charge.PAID
        if card_number == TEST_CARD_DECLINED:
            return Charge.FAILED
        message = f"Use a test card: {TEST_CARD_GOOD} pays, {TEST_CARD_DECLINED} is declined."
        raise Invalid("Some fields are not valid.", fields={"card_number": [message]})

    async def refund(self, payment_id: str, *, cents: int) -> None:
        """Do nothing: nothing was taken."""

    async def pay_out(self, order_id: str, *, account_id: str, cents: int) -> bool:
        """Be done at once."""
        return True


class WebhookPayments:
    """For production: buyers pay at the provider, which tells of everything by signed webhooks."""

    told_by_webhook = True

    async def charge(self, payment_id: str, *, cents: int, card_number: str | None) -> Charge:
        """Wait for the webhook; card numbers have no business here."""
        if card_number is not None:
            message = "Cards are given to the payment provider only."
            raise Invalid("Some fields are not valid.", fields={"card_number": [message]})
        return Charge.PENDING

    async def refund(self, payment_id: str, *, cents: int) -> None:
        """Do nothing: it was made at the provider."""

    async def pay_out(self, order_id: str, *, account_id: str, cents: int) -> bool:
        """Wait for the webhook."""
        return False
