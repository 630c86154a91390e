"""Why the server ends a connection: what its client receives, and whether to come back."""

from dataclasses import dataclass

from models.error_codes import CATALOGUE, ErrorCode
from models.limits import MAX_REFUSALS

SESSION_ENDING = "session.ending"
SESSION_EXPIRING = "session.expiring"
SESSION_GAP = "session.gap"
"""Events were lost on their way to this process: fetch anew, as after a reconnect."""

SERVER_NOTICE = "server.notice"
"""A notice of operators to everyone who is connected."""

EXPIRING_S = 60.0
"""How long before its end a token's client is notified: time for a refresh, with attempts to
spare."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The payload of `session.ending`, the last event before the end."""

    code: ErrorCode
    message: str

    @property
    def reconnect(self) -> bool:
        """Return what the client should do.

        True: the transport is closed, and stock clients come back by themselves. False: the
        namespace is disconnected, and the client has to connect again with another token.
        """
        return CATALOGUE[self.code].reconnect

    def data(self) -> dict[str, object]:
        """Return the event's payload."""
        return {"code": self.code, "message": self.message, "reconnect": self.reconnect}


# The limit is the account's, so coming back gains nothing; and a client that was too eager for
# once must not stay away forever.
TOO_MANY_REQUESTS = Ending(
    "too_many_requests", f"{MAX_REFUSALS} messages in a row were refused; slow down."
)
TOKEN_EXPIRED = Ending("token_expired", "The token has expired.")
ACCOUNT_DISABLED = Ending("account_disabled", "This account is disabled.")
SESSION_ENDED = Ending("session_ended", "The session was logged out.")

SERVER_STOPPING = Ending("server_stopping", "The server stops; come back.")
