"""How often an account may write and read over REST, and an address ask without one."""

import time
from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from app.access_log import POLLING_PATH
from app.rest.devices import client_network
from app.settings import Limits
from models.errors import Unauthorized
from models.limits import TokenBuckets

_READS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


class RequestRates:
    """Token buckets: two for each account, one for each address."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.writes = TokenBuckets(limits.writes_per_s, limits.writes_burst, clock)
        self.reads = TokenBuckets(limits.reads_per_s, limits.reads_burst, clock)
        self.anonymous = TokenBuckets(limits.anonymous_per_s, limits.anonymous_burst, clock)

    def check(self, request: web.Request, account_id: str) -> None:
        """Count a request of an account, before anything is done for it.

        Raises:
            TooManyRequests: with the time after which the next one passes.
        """
        buckets = self.reads if request.method in _READS else self.writes
        buckets.take(account_id)

    @web.middleware
    async def limit_anonymous(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count requests without a credential, and those whose credential proves nothing.

        Requests of Socket.IO are not counted: their sessions have bounds of their own.
        """
        address = client_network(request.remote)
        if _is_anonymous(request):
            self.anonymous.take(address)
            return await handler(request)
        try:
            return await handler(request)
        except Unauthorized:
            self.anonymous.take(address)
            raise


def _is_anonymous(request: web.Request) -> bool:
    headers = request.headers
    return (
        hdrs.AUTHORIZATION not in headers
        and hdrs.UPGRADE not in headers
        and "User-Email" not in headers
        and request.path != POLLING_PATH
    )
