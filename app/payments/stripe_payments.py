"""Stripe: buyers pay on its page or in a front end of their own, refunds are made from here.

The official library is synchronous, so its calls run in a few threads of their own. Each call
has a time limit and an idempotency key made of what it is about: repeated after a crash or a lost
answer, it moves nothing twice. What became of payments is reported by webhooks, as with any
provider."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from models.errors import Invalid, Unavailable
from models.market.money import CURRENCY
from models.market.payments import CARDS_ELSEWHERE, Charge, Checkout

logger = logging.getLogger(__name__)

T = TypeVar("T")

CALLS_AT_ONCE = 8
"""Threads: a call takes half a second, so these serve a dozen buyers a second."""

REQUEST_S = 10.0
"""For one request of the library, which repeats it once."""

CALL_S = 25.0
"""For a call with its wait for a thread: below the minute after which another process may make it
(`models.market.receipts.CALL_TIME`), and below the half minute that routers wait."""

RETRY_AFTER_S = 30.0


class StripePayments:
    """Fills the port `models.market.payments.PaymentProvider`."""

    makes_refunds = True

    def __init__(self, secret_key: str, *, public_url: str, api_base: str | None = None) -> None:
        # Imported where it is used: the library is large, and most servers have another provider.
        import stripe

        self._error: type[Exception] = stripe.StripeError
        self._client: Any = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base} if api_base else {},
            http_client=stripe.RequestsClient(timeout=REQUEST_S),
            max_network_retries=1,
        )
        self._public_url = public_url
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="stripe")

    async def charge(self, payment_id: str, *, cents: int, card_number: str | None) -> Charge:
        """Wait for the webhook: the buyer pays at the `checkout`."""
        if card_number is not None:
            raise Invalid("Some fields are not valid.", fields={"card_number": [CARDS_ELSEWHERE]})
        return Charge.PENDING

    async def checkout(self, order_id: str, *, cents: int, what: str) -> Checkout:
        """Return what the buyer pays with: the same for each call about one order.

        Raises:
            Unavailable: code `payment_provider_unavailable`.
        """
        metadata = {"order_id": order_id}
        address = f"{self._public_url}/orders/{order_id}"
        intent = {
            "amount": cents,
            "currency": CURRENCY,
            "metadata": metadata,
            "description": what,
            "automatic_payment_methods": {"enabled": True},
        }
        price = {"currency": CURRENCY, "unit_amount": cents, "product_data": {"name": what}}
        session = {
            "mode": "payment",
            "client_reference_id": order_id,
            "line_items": [{"quantity": 1, "price_data": price}],
            "payment_intent_data": {"metadata": metadata, "description": what},
            "success_url": address,
            "cancel_url": address,
        }

        def create() -> Checkout:
            made = self._client.v1.payment_intents.create(
                params=intent, options={"idempotency_key": f"order-{order_id}-intent"}
            )
            page = self._client.v1.checkout.sessions.create(
                params=session, options={"idempotency_key": f"order-{order_id}-session"}
            )
            return Checkout(made.id, made.client_secret, page.url)

        return await self._call(create)

    async def refund(self, payment_id: str) -> bool:
        """Return what is left of a payment; True once Stripe has made the refund.

        Raises:
            Unavailable: code `payment_provider_unavailable`.
        """

        def refund() -> bool:
            try:
                made = self._client.v1.refunds.create(
                    params={"payment_intent": payment_id},
                    options={"idempotency_key": f"refund-{payment_id}"},
                )
            except self._error as error:
                if getattr(error, "code", None) == "charge_already_refunded":
                    return True
                raise
            return bool(made.status == "succeeded")

        return await self._call(refund)

    async def pay_out(self, order_id: str, *, account_id: str, cents: int) -> bool:
        """Wait for the webhook: sellers' bank accounts are known to the provider only."""
        return False

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(CALL_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            logger.warning("Stripe has not answered within %s seconds", CALL_S)
        except self._error as error:
            # Its message may hold a part of the key.
            code = getattr(error, "code", None)
            logger.warning("Stripe refused a call: %s, code %s", type(error).__name__, code)
        raise Unavailable(
            "The payment provider does not answer; try again.",
            code="payment_provider_unavailable",
            retry_after_s=RETRY_AFTER_S,
        )
