"""Turn a token into an `Identity`: our own JWT, or a Firebase ID token when configured."""

import jwt

from app.identity import firebase, own_jwt
from app.identity.firebase import FirebaseTokens
from app.identity.own_jwt import OwnTokens, token_invalid
from models.accounts import Account, Accounts
from models.errors import Forbidden, Unauthorized
from models.identity import TOKEN_MAX, Identity


class Authenticator:
    """Implements `models.identity.Authenticate` for every transport."""

    def __init__(
        self, accounts: Accounts, own: OwnTokens, firebase_tokens: FirebaseTokens | None = None
    ) -> None:
        self._accounts = accounts
        self._own = own
        self._firebase = firebase_tokens

    async def __call__(self, token: str | None) -> Identity:
        """Verify `token` and find its account.

        Raises:
            Unauthorized: code `token_missing`, `token_invalid`, `token_expired` or
                `session_ended`.
            Forbidden: code `account_disabled`.
            Unavailable: the database or the keys of Firebase cannot be reached.
        """
        if not token:
            raise Unauthorized("A token is needed.", code="token_missing")
        algorithm = _algorithm(token)
        if algorithm == own_jwt.ALGORITHM:
            return await self._by_own(token)
        if algorithm == firebase.ALGORITHM and self._firebase is not None:
            return await self._by_firebase(self._firebase, token)
        raise token_invalid()

    async def _by_own(self, token: str) -> Identity:
        claims = self._own.verify(token)
        account = await self._accounts.find(claims.account_id)
        if account is None:
            raise token_invalid()
        # Disabling ends the sessions as well; the answer names the cause.
        identity = identity_of(account, claims.session_id, claims.expires_at)
        if claims.are_older_than(account):
            raise _session_ended()
        if claims.session_id is not None and not await self._accounts.sessions.is_active(
            claims.session_id, account.id
        ):
            raise _session_ended()
        return identity

    async def _by_firebase(self, tokens: FirebaseTokens, token: str) -> Identity:
        user = await tokens.verify(token)
        account = await self._accounts.find_or_create_by_firebase(
            user.uid,
            verified_email=user.verified_email,
            verified_phone=user.phone,
            name=user.name,
        )
        return identity_of(account, None, user.expires_at)


def _algorithm(token: str) -> str:
    """Read the header's `alg`, which chooses the verifier and proves nothing."""
    if len(token) > TOKEN_MAX:
        raise token_invalid()
    try:
        return str(jwt.get_unverified_header(token).get("alg"))
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise token_invalid() from None


def _session_ended() -> Unauthorized:
    return Unauthorized("The session has ended; log in.", code="session_ended")


def identity_of(
    account: Account, session_id: str | None = None, expires_at: float | None = None
) -> Identity:
    """Return the identity of an account that is let in.

    Raises:
        Forbidden: code `account_disabled`.
    """
    if account.disabled:
        raise Forbidden("This account is disabled.", code="account_disabled")
    return Identity(
        account_id=account.id,
        email=account.email,
        public_id=account.public_id,
        name=account.name,
        session_id=session_id,
        credential_version=account.credential_version,
        expires_at=expires_at,
    )
