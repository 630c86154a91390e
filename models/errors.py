"""The kinds of failure a domain knows. Each door renders them in its own form.

`code` is stable and for programs, `message` is for people. Nothing here knows HTTP.
"""

from collections.abc import Mapping


class DomainError(Exception):
    """A request that the domain refuses; the caller can act on it."""

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: Mapping[str, object] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.fields = dict(fields) if fields else None
        self.retry_after_s = retry_after_s


class Unreadable(DomainError):
    """The request could not be parsed at all."""

    code = "unreadable"


class Invalid(DomainError):
    """The request was read and has wrong values; `fields` names them."""

    code = "invalid"


class Unauthorized(DomainError):
    """No credential, or one that proves nothing."""

    code = "unauthorized"


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(DomainError):
    """The thing does not exist, or the caller may not know that it does."""

    code = "not_found"


class Conflict(DomainError):
    """The request contradicts the present state."""

    code = "conflict"


class TooManyRequests(DomainError):
    """A limit was passed; `retry_after_s` says when to come back."""

    code = "too_many_requests"


class Unavailable(DomainError):
    """Something this server depends on is away."""

    code = "unavailable"
