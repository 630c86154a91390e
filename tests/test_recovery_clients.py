"""Connection state recovery with the JS clients, on networks that are really cut."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.io_program import CLIENTS, NODE, PACKAGES, QUICK, Program, started
from tests.live import Serve, Server
from tests.network import Network

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not PACKAGES.is_dir(), reason="packages are missing: npm ci in web/"),
]

BACK = [{"recovered": True}]
ANEW = [{"recovered": False}]


@pytest.fixture
async def server(serve: Serve) -> Server:
    # A second's absence is no coming and going.
    return await serve(presence_grace_s=60.0)


@pytest.fixture
async def network(server: Server) -> AsyncIterator[Network]:
    network = await Network(server.url).start()
    yield network
    await network.stop()


@pytest.fixture(params=CLIENTS)
async def program(request: pytest.FixtureRequest) -> AsyncIterator[Program]:
    async with started(request.param) as program:
        yield program


class Person:
    """A client of one namespace, and what it has heard of messages."""

    def __init__(self, program: Program, server: Server, network: Network) -> None:
        self.program = program
        self.server = server
        self.network = network

    async def open(self, namespace: str, **options: Any) -> None:
        auth = {"token": await self.server.token("ann")}
        await self.program.do(
            "open", "a", f"{self.network.url}/{namespace}", {"auth": auth, **QUICK, **options}
        )
        assert await self.program.hear("a", "connect") == ANEW

    async def changed_over(self, transport: str) -> None:
        """Wait until the client uses it: cut in between, the stock one waits for a ping."""
        used = None
        while used != transport:
            await self.program.do("transport", "a")
            (used,) = await self.program.hear("a", "transport")

    async def ask(self, command: str, payload: object) -> Any:
        await self.program.do("ack", "a", 10_000, command, payload)
        (answer,) = await self.program.hear("a", "ack")
        return answer["data"]

    async def events(self, name: str, count: int) -> list[Any]:
        """Return the payloads of the first `count` events of a name; their offsets are text."""
        while True:
            found = [what[3:] for what in self.program.heard if what[:3] == ["a", "event", name]]
            if len(found) >= count:
                assert all(isinstance(offset, str) for _, offset in found)
                return [payload for payload, _ in found]
            await self.program.hear("a", "event", name)

    async def messages(self, count: int) -> list[str]:
        """Return what was written, when so many have been heard."""
        return [message["content"] for message in await self.events("new_message", count)]

    async def back(self) -> Any:
        self.network.up()
        return await self.program.hear("a", "connect")

    async def post(self, text: str, channel: str = "lobby") -> None:
        """Have somebody else write into the channel."""
        status, _ = await self.server.call(
            await self.server.token("ben"),
            "POST",
            "/api/v1/messages",
            {"channel_id": channel, "content": text},
        )
        assert status == 201


@pytest.fixture
def ann(program: Program, server: Server, network: Network) -> Person:
    return Person(program, server, network)


async def in_lobby(ann: Person, **options: Any) -> None:
    await ann.open("chat", **options)
    await ann.ask("join_channel", {"channel_id": "lobby"})


async def test_cut_again_and_again(ann: Person) -> None:
    """From before the first event on; the client hears everything once, in order."""
    await in_lobby(ann)
    sent = []
    for number in range(5):
        ann.network.cut(down=True)
        await ann.program.hear("a", "disconnect")
        for letter in "xyz"[: 1 + number % 3]:
            sent.append(f"{number}{letter}")
            await ann.post(sent[-1])
        assert await ann.back() == BACK
        sent.append(f"{number} live")
        await ann.post(sent[-1])
    assert await ann.messages(len(sent)) == sent


async def test_cut_before_the_missed_events_arrive(ann: Person) -> None:
    """The answer is on its way, and the network ends: the next time brings them."""
    await in_lobby(ann)
    ann.network.cut(down=True)
    await ann.program.hear("a", "disconnect")
    await ann.post("missed")
    ann.network.up()
    for _ in range(3):
        ann.network.cut()
    # How many attempts that takes is chance; what is heard in the end is not.
    await ann.messages(1)
    await ann.post("live")
    assert await ann.messages(2) == ["missed", "live"]
    connects = [what for what in ann.program.heard if what[:2] == ["a", "connect"]]
    assert all(what[2] == BACK[0] for what in connects[1:])


async def test_while_the_server_still_holds_the_old_connection(ann: Person) -> None:
    """A network that has fallen silent: the server learns from the client that it is back."""
    await in_lobby(ann)
    sent = ["first", "second", "third"]
    await ann.post(sent[0])
    for count, text in enumerate(sent[1:], 2):
        ann.network.silence()
        await ann.post(text)
        await ann.program.do("drop", "a")
        assert await ann.back() == BACK
        assert await ann.messages(count) == sent[:count]


@pytest.mark.parametrize("transports", [["polling"], ["polling", "websocket"]], ids=str)
async def test_by_long_polling(server: Server, network: Network, transports: list[str]) -> None:
    """The stock client's first transport, alone or changing over."""
    async with started("stock") as program:
        ann = Person(program, server, network)
        await in_lobby(ann, transports=transports)
        sent = []
        for number in range(3):
            await ann.changed_over(transports[-1])
            network.cut(down=True)
            await program.hear("a", "disconnect")
            sent += [f"missed {number}", f"live {number}"]
            await ann.post(sent[-2])
            assert await ann.back() == BACK
            await ann.post(sent[-1])
        assert await ann.messages(len(sent)) == sent


async def test_who_left_a_channel_elsewhere_begins_anew(ann: Person) -> None:
    """It hears the channel no more, and nothing of what was said in it meanwhile."""
    await in_lobby(ann)
    ann.network.cut(down=True)
    await ann.program.hear("a", "disconnect")
    token = await ann.server.token("ann")
    status, _ = await ann.server.call(token, "POST", "/api/v1/channels/lobby/leave")
    assert status == 200
    await ann.post("not for ann")
    assert await ann.back() == ANEW
    await ann.post("nor this")
    await ann.ask("join_channel", {"channel_id": "den"})
    await ann.post("hello", "den")
    assert await ann.messages(1) == ["hello"]


async def test_a_followed_book_goes_on(ann: Person) -> None:
    """Each change of a level has the number after the last one."""
    token = await ann.server.token("ben")
    shoe = {"name": "Shoe", "sku": "S1", "sizes": ["8"]}
    _, product = await ann.server.call(token, "POST", "/api/v1/products", shoe)
    which = {"product_id": product["id"], "size": "8"}
    await ann.open("market")
    book = await ann.ask("subscribe_book", which)
    for price in range(1, 9):
        if price % 3 == 0:
            ann.network.cut(down=True)
            await ann.program.hear("a", "disconnect")
        bid = {**which, "price": f"{price}.00"}
        status, _ = await ann.server.call(token, "POST", "/api/v1/bids", bid)
        assert status == 201
        if price % 3 == 0:
            assert await ann.back() == BACK
    changes = await ann.events("book", 8)
    assert [change["prev_seq"] for change in changes] == [
        book["seq"],
        *(change["seq"] for change in changes[:-1]),
    ]


async def test_an_account_that_is_disabled_does_not_come_back(ann: Person) -> None:
    """It is checked as at a first connect."""
    await in_lobby(ann)
    ann.network.cut(down=True)
    await ann.program.hear("a", "disconnect")
    await ann.server.accounts.disable((await ann.server.account("ann")).id)
    ann.network.up()
    error, _ = await ann.program.hear("a", "connect_error")
    while error["data"] is None:
        # Attempts of the time when the network was down.
        error, _ = await ann.program.hear("a", "connect_error")
    assert error["data"]["code"] == "account_disabled"
