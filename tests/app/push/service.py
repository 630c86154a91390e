"""A push service and a device: takes pushes over HTTP, checks who sends, reads what they say."""

import asyncio
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

import http_ece
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.live import PATIENCE_S


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class Device:
    """A browser that subscribed: its keys, and the way to read what is pushed to it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = secrets.token_bytes(16)

    @property
    def keys(self) -> dict[str, str]:
        return {"p256dh": base64url(point(self._key)), "auth": base64url(self._auth)}

    @property
    def subscription(self) -> dict[str, object]:
        """What a browser's `PushSubscription.toJSON` gives."""
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": self.keys}

    def read(self, body: bytes) -> dict[str, object]:
        """Decrypt a push (RFC 8291)."""
        return json.loads(http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth))


class PushService:
    """Answers with `status` (or as `answer` says), and keeps the pushes it got."""

    def __init__(self) -> None:
        self.status = 201
        self.headers: dict[str, str] = {}
        self.held = asyncio.Event()
        self.held.set()
        self.url = ""
        self._pushes: asyncio.Queue[tuple[str, dict[str, str], bytes]] = asyncio.Queue()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/{device}", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self._pushes.put_nowait((request.path, dict(request.headers), await request.read()))
        await self.held.wait()
        return web.Response(status=self.status, headers=self.headers)

    def device(self, name: str = "device") -> Device:
        return Device(f"{self.url}/{name}")

    async def push(self) -> tuple[str, dict[str, str], bytes]:
        """Return the next push: path, headers, body."""
        return await asyncio.wait_for(self._pushes.get(), PATIENCE_S)

    @property
    def waiting(self) -> int:
        """How many pushes have come that nobody has looked at."""
        return self._pushes.qsize()

    def signer(self, headers: dict[str, str]) -> tuple[str, dict[str, object]]:
        """Verify VAPID (RFC 8292) as push services do; returns the public key and the claims."""
        scheme, _, parameters = headers["Authorization"].partition(" ")
        assert scheme == "vapid"
        parts = dict(part.strip().split("=", 1) for part in parameters.split(","))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(parts["k"]))
        claims = jwt.decode(
            parts["t"], key, ["ES256"], audience=self.url, options={"require": ["exp", "sub"]}
        )
        return parts["k"], claims


def new_private_key() -> str:
    """Return a VAPID key in the form of the setting."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64url(number.to_bytes(32, "big"))
