"""The answers of docs/older-apis/channel-chat.md: `{"success": true, "data": …}`."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from models.events import Json
from models.identity import Identity


def succeeded(answer: Any, identity: Identity, status: int = HTTPStatus.OK) -> web.Response:
    """Answer in that form: of a list the items are the data, and what else it has is `page`."""
    if isinstance(answer, dict) and "items" in answer:
        page = dict(answer)
        items = [_shown(item, identity) for item in page.pop("items")]
        return web.json_response({"success": True, "data": items, "page": page}, status=status)
    return web.json_response({"success": True, "data": _shown(answer, identity)}, status=status)


def _shown(thing: Any, identity: Identity) -> Json:
    """Add to a message what the document calls the conversation and the author.

    `user_email` is null where the author has not shown it to the caller; one's own is always there.
    """
    if not isinstance(thing, dict) or "author_email" not in thing:
        return thing
    own = thing["author_id"] == identity.account_id
    return {
        **thing,
        "channel_id": thing["conversation_id"],
        "user_email": identity.email if own else thing["author_email"],
    }
