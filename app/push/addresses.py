"""A resolver that knows the public internet only."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from models.notifications.endpoints import is_public


class PublicResolver(AbstractResolver):
    """Resolves names to their public addresses, so that a name cannot lead to a private one.

    The connection is made to the very address that was judged here: a name that answers
    differently the next time gains nothing.
    """

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of `host`.

        Raises:
            OSError: it has none.
        """
        found = await self._resolver.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise OSError(f"{host} has no public address")
        return public

    async def close(self) -> None:
        """Close the resolver behind this one."""
        await self._resolver.close()
