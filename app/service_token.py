"""The secret by which other services of the house are known."""

import hmac

from models.errors import Unauthorized


class ServiceToken:
    """Checks `Bearer <SERVICE_TOKEN>`.

    Without a token set, no one is let in, except in development: there the documented lines work
    as printed, from this machine.
    """

    def __init__(self, token: str | None, *, development: bool) -> None:
        self._token = token.encode() if token else None
        self._open = development and not token

    @property
    def asked_for(self) -> bool:
        """Whether callers have to show a token."""
        return not self._open

    def check(self, authorization: str | bytes | None, *, trusted: bool = True) -> None:
        """Let a caller in by its `authorization` (RFC 6750), in constant time.

        `trusted`: False for a web page that may not go without a token (`Origins.trusts`).

        Raises:
            Unauthorized: code `service_token_invalid`.
        """
        if self._open and trusted:
            return
        given = authorization.encode() if isinstance(authorization, str) else authorization or b""
        scheme, _, token = given.partition(b" ")
        known = self._token is not None and hmac.compare_digest(token.strip(), self._token)
        if scheme.lower() != b"bearer" or not known:
            raise Unauthorized("A service token is needed.", code="service_token_invalid")
