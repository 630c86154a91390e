"""A JWKS address of a test's own, and Firebase ID tokens signed with its keys."""

import asyncio
import json
import time
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

PROJECT = "a-project"


class JwksServer:
    """Publishes public keys, counts the fetches, and can be told to fail or to wait."""

    def __init__(self) -> None:
        self.private: dict[str, rsa.RSAPrivateKey] = {}
        self.published: list[str] = []
        self.fetches = 0
        self.asked = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()
        self.status = 200
        self.body: str | None = None
        self.cache_control = "public, max-age=3600"
        app = web.Application()
        app.router.add_get("/keys", self._keys)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/keys"))

    def add_key(self, key_id: str, *, published: bool = True) -> None:
        self.private[key_id] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if published:
            self.published.append(key_id)

    def token(self, key_id: str = "one", **changes: Any) -> str:
        """Sign an ID token as Firebase does; a claim changed to None is left out."""
        now = int(time.time())
        claims = {
            "iss": f"https://securetoken.google.com/{PROJECT}",
            "aud": PROJECT,
            "sub": "uid-A",
            "iat": now,
            "auth_time": now,
            "exp": now + 3600,
            "email": "ann@example.com",
            "email_verified": True,
        } | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.private[key_id], "RS256", headers={"kid": key_id})

    async def _keys(self, _: web.Request) -> web.Response:
        self.fetches += 1
        self.asked.set()
        await self.hold.wait()
        keys = [
            json.loads(RSAAlgorithm.to_jwk(self.private[key_id].public_key()))
            | {"kid": key_id, "use": "sig", "alg": "RS256"}
            for key_id in self.published
        ]
        return web.Response(
            status=self.status,
            text=self.body if self.body is not None else json.dumps({"keys": keys}),
            content_type="application/json",
            headers={"Cache-Control": self.cache_control},
        )
