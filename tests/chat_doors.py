"""Ways into the chat of a whole server: each of its doors, for accounts of the tests."""

from typing import Any

from tests.live import RawClient, Server, SocketClient


def email_of(name: str) -> str:
    return f"{name}@example.com"


async def channel_client(
    server: Server, name: str, channel: str | None = None, **options: Any
) -> RawClient:
    """Connect to `/api/v1/ws` as `<name>@example.com`; perhaps join, and pass over the news."""
    query = f"?channel_id={channel}" if channel else ""
    headers = {"User-Email": email_of(name)}
    client = await server.open_at(f"/api/v1/ws{query}", headers, **options)
    if channel:
        joined = await client.frame()
        assert (joined["type"], joined["user_email"]) == ("channel_joined", email_of(name))
    return client


async def conversation_client(server: Server, name: str, **options: Any) -> RawClient:
    """Connect to `/ws/{user_id}`; returns the client when it has arrived."""
    account = await server.account(name)
    target = f"/ws/{account.id}?token={server.issue(account)}"
    client = await server.open_at(target, **options)
    assert await client.ask({"event": "heartbeat"}) == {"event": "heartbeat_ack"}
    return client


async def socket_client(server: Server, name: str) -> SocketClient:
    """Connect to `/chat`."""
    return await server.socketio(await server.token(name), namespace="/chat")


async def conversation_of(server: Server, creator: str, *others: str) -> str:
    """Begin a conversation; returns its id."""
    for name in others:
        await server.account(name)
    status, conversation = await server.call(
        await server.token(creator),
        "POST",
        "/api/v1/conversations",
        {"participants": [email_of(name) for name in others]},
    )
    assert status == 201
    return conversation["id"]


async def befriend(server: Server, *names: str) -> str:
    """Let people accept one another; returns the direct conversation of the first two."""
    begun = [
        await accepted(server, name, await conversation_of(server, other, name))
        for position, name in enumerate(names)
        for other in names[:position]
    ]
    return begun[0]


async def accepted(server: Server, name: str, conversation_id: str) -> str:
    """Accept a request over REST; returns its id."""
    path = f"/api/v1/conversations/{conversation_id}/accept"
    status, _ = await server.call(await server.token(name), "POST", path)
    assert status == 200
    return conversation_id


async def send(server: Server, name: str, conversation_id: str, content: str) -> dict[str, Any]:
    """Write a message over REST, as `docs/older-apis/channel-chat.md` does; returns it."""
    status, answer = await server.call(
        await server.token(name),
        "POST",
        "/api/v1/messages",
        {"channel_id": conversation_id, "content": content},
    )
    assert status == 201
    assert answer["success"] is True
    return answer["data"]


def drop(client: RawClient) -> None:
    """Cut a connection without a goodbye."""
    response: Any = client.socket._response
    response.connection.transport.abort()
