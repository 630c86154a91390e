"""VAPID (RFC 8292): the key pair by which push services know this server."""

import time
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02, VapidException
from py_vapid.utils import b64urlencode

from app.push.subjects import SUBJECT_ERROR, is_subject
from app.settings import SettingsError

TOKEN_LIFETIME_S = 12 * 3600
"""RFC 8292 allows at most 24 hours."""


class VapidKeys:
    """Signs for push services."""

    def __init__(self, private_key: str, subject: str) -> None:
        """Read the key, base64url of 32 bytes or of DER, and who answers for it.

        `subject` is `mailto:` or `https:` at a public name: some services refuse others.

        Raises:
            SettingsError: one of them is something else.
        """
        try:
            self._vapid = Vapid02.from_string(private_key)
            key = self._vapid.private_key
            if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
                raise ValueError("another kind of key")
        except (ValueError, TypeError, UnsupportedAlgorithm, VapidException):
            # The library's message may quote the key.
            raise SettingsError(
                "VAPID_PRIVATE_KEY is not a P-256 private key, 32 bytes or DER, in base64url."
            ) from None
        self._subject = subject
        if not is_subject(subject):
            raise SettingsError(SUBJECT_ERROR)
        try:
            self._sign("https://push.example.com")
        except VapidException:
            raise SettingsError(SUBJECT_ERROR) from None
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key: str = b64urlencode(point)
        """Base64url of the uncompressed point: a browser's `applicationServerKey`."""

    def authorization(self, endpoint: str) -> str:
        """Return the `Authorization` header for a push to `endpoint`."""
        parts = urlsplit(endpoint)
        return self._sign(f"{parts.scheme}://{parts.netloc}")

    def _sign(self, audience: str) -> str:
        claims: dict[str, Any] = {
            "sub": self._subject,
            "aud": audience,
            "exp": int(time.time()) + TOKEN_LIFETIME_S,
        }
        header: str = self._vapid.sign(claims)["Authorization"]
        return header
