"""The dialect of `/api/v1/ws/{user_id}`: the frames of `docs/older-apis/diary.md`.

A connection receives what happens in its account's diary, if the API has a frame for it.
"""

import json
from typing import ClassVar, TypedDict

from aiohttp import web

from app.legacy.credentials import Access, by_token_or_path
from app.legacy.dialect import Counted, Dialect, Frame, Frames, Receives, Speaker
from app.legacy.handlers import Reply, Run
from app.realtime.wirejson import dumps
from app.rest.contract import Credential, contract
from models.identity import Identity


class ConnectedView(TypedDict):
    """The answer of `GET /api/v1/ws/status`."""

    connected_users: int
    status: str


def _motivation_generated(data: Frame) -> Frame:
    return {
        "type": "motivation_generated",
        "user_id": data["user_id"],
        "motivation_text": data["motivation_text"],
        "current_challenge": data["current_challenge"],
        "stress_level": data["stress_level"],
    }


def _frame(kind: str, identity: Identity, message: str) -> Frame:
    return {"type": kind, "user_id": identity.account_id, "message": message}


class DiaryDialect(Dialect):
    """Motivation, and an echo of everything else."""

    name = "diary"
    pages = ("diary",)
    path = "/api/v1/ws/{user_id}"
    access = Access(by_token_or_path)
    fetches = ("GET /api/v1/diary/motivations",)
    domain = "diary"
    frames: ClassVar[Frames] = {("diary", "motivation_generated"): _motivation_generated}
    receives: ClassVar[Receives] = {
        "ping": Reply(lambda identity: _frame("pong", identity, "Pong!")),
        # Its answer is the event: all connections of the account get it, this one among them.
        "motivation_requested": Run(
            "request_motivation",
            {"current_challenge": "current_challenge", "stress_level": "stress_level"},
        ),
    }

    def error_frame(self, identity: Identity, code: str, message: str, about: str | None) -> Frame:
        """Return the error frame, which has no code."""
        return _frame("error", identity, message)

    def receive_unknown(self, peer: Speaker, message: Frame) -> None:
        """Echo the message; refuse one without a type."""
        if not isinstance(message.get("type"), str):
            problem = "is not text" if "type" in message else "is missing"
            peer.refuse("no_type", f"The message's type {problem}.")
            return
        try:
            text = json.dumps(message, ensure_ascii=False, allow_nan=False)
        except ValueError:
            # 1e999 is JSON, and more than a number can hold.
            peer.refuse("number_too_large", "The message has a number that is too large.")
        else:
            peer.send(dumps(_frame("echo", peer.identity, f"Received: {text}")))

    def routes(self, counted: Counted) -> list[web.RouteDef]:
        """Return `GET /api/v1/ws/status`."""

        @contract("older APIs", {200: ConnectedView}, credential=Credential.NONE)
        async def status(request: web.Request) -> web.Response:
            """The number of users that are connected to this API."""
            answer: ConnectedView = {"connected_users": counted.users, "status": "active"}
            return web.json_response(answer)

        return [web.get("/api/v1/ws/status", status)]
