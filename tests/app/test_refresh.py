"""`refresh_session` on a connection that is in several namespaces, by several accounts."""

import asyncio
import json
import time

from tests.live import PATIENCE_S


class Wire:
    """A Socket.IO client frame by frame."""

    def __init__(self, socket):
        self._socket = socket

    async def say(self, text):
        await self._socket.send_str(text)

    async def until(self, start):
        """Return the rest of the next frame that starts so; others are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                text = await self._socket.receive_str()
                if text == "2":
                    await self.say("3")
                if text.startswith(start):
                    return text.removeprefix(start)


async def test_one_refresh_renews_all_namespaces_of_the_account(server):
    """Those of another account on the same connection end with their own token."""
    ann, ben = await server.account("ann"), await server.account("ben")
    short = [server.issue(who, lifetime_s=3) for who in (ann, ann, ben)]
    url = f"{server.url}/socket.io/?EIO=4&transport=websocket"
    async with server._http.ws_connect(url) as socket:
        wire = Wire(socket)
        for namespace, token in zip(("stories", "diary", "market"), short, strict=True):
            await wire.say(f"40/{namespace},{json.dumps({'token': token})}")
            await wire.until(f"40/{namespace},")
            await wire.until(f'42/{namespace},["session.expiring"')
        token = server.issue(ann)
        await wire.say(f'42/stories,1["refresh_session",{json.dumps({"token": token})}]')
        (answer,) = json.loads(await wire.until("43/stories,1"))
        assert answer["data"]["expires_at"] is not None
        ended_at = time.time()
        assert "token_expired" in await wire.until('42/market,["session.ending",')
        await wire.until("41/market,")
        assert time.time() - ended_at < 4
        for namespace in ("stories", "diary"):
            await wire.say(f'42/{namespace},2["no_such_command",{{}}]')
            assert "unknown_command" in await wire.until(f"43/{namespace},2")


async def test_a_refresh_with_a_session_that_has_ended_is_refused(server):
    """The token is checked as at a connect: a session that was logged out renews nothing."""
    account = {"email": "cat@example.com", "password": "password123"}
    _, signed_up = await server.call(None, "POST", "/signup", account)
    _, logged_in = await server.call(None, "POST", "/login", account)
    client = await server.socketio(signed_up["token"])
    ended = logged_in["token"]
    assert (await server.call(ended, "POST", "/api/v1/auth/logout"))[0] == 204
    answer = await client.call("refresh_session", {"token": ended})
    assert answer["error"]["code"] == "session_ended"
    assert "error" in await client.call("no_such_command")
