"""Connections of raw endpoints, counted over all processes of one database."""

import asyncio
from types import SimpleNamespace

import pytest

from app.legacy.census import MAX_NAMES, MAX_USERS, Census
from app.legacy.dialect import Dialect
from app.main import PROCESSES
from tests.live import PATIENCE_S


class Spoken(Dialect):
    """A dialect whose connections have joined what the test says."""

    name = "spoken"
    path = "/spoken"

    def joined(self, peer):
        return peer.names


class Peers(list):
    """Connections of accounts: an id, and names that they have joined."""

    def add(self, account_id, *names):
        self.append(SimpleNamespace(identity=SimpleNamespace(account_id=account_id), names=names))

    @property
    def users(self):
        return len({peer.identity.account_id for peer in self})


class Processes:
    """So many that know of each other what they report."""

    def __init__(self, count):
        dialect = Spoken()
        self.peers = [Peers() for _ in range(count)]
        self.reports = [{} for _ in range(count)]
        self._censuses = [
            Census({dialect: peers}, lambda number=number: self._others(number))
            for number, peers in enumerate(self.peers)
        ]
        self.tallies = [census[dialect] for census in self._censuses]

    def _others(self, number):
        return [report for other, report in enumerate(self.reports) if other != number]

    async def report(self):
        self.reports = [await census.report() for census in self._censuses]


async def test_a_process_alone_counts_its_own():
    """Without reports there are the connections of this process, as they are now."""
    processes = Processes(1)
    (peers,), (tally,) = processes.peers, processes.tallies
    assert (tally.connections, tally.users, await tally.names()) == (0, 0, {})
    peers.add("ann", "general")
    peers.add("ann")
    assert (tally.connections, tally.users, await tally.names()) == (2, 1, {"general": 1})


async def test_all_processes_count_the_same():
    """Connections and names add up; a user at two processes is one."""
    processes = Processes(3)
    one, two, three = processes.peers
    one.add("ann", "general", "music")
    one.add("bob", "general")
    two.add("ann", "general")
    three.add("cyd")
    await processes.report()
    for tally in processes.tallies:
        assert tally.connections == 4
        assert tally.users == 3
        assert await tally.names() == {"general": 3, "music": 1}


async def test_own_numbers_are_of_this_moment():
    processes = Processes(2)
    processes.peers[1].add("bob", "general")
    await processes.report()
    tally, peers = processes.tallies[0], processes.peers[0]
    peers.add("ann", "general")
    assert (tally.connections, tally.users, await tally.names()) == (2, 2, {"general": 2})
    peers.clear()
    assert (tally.connections, tally.users, await tally.names()) == (1, 1, {"general": 1})


async def test_many_users_are_estimated():
    """A report stays small; beyond what it names the number is right to some percent."""
    processes = Processes(2)
    for number in range(6 * MAX_USERS):
        processes.peers[0].add(f"account {number}")
    for number in range(4 * MAX_USERS, 8 * MAX_USERS):
        processes.peers[1].add(f"account {number}")
    await processes.report()
    assert len(processes.reports[0]["spoken"]["users"]) == MAX_USERS
    for tally in processes.tallies:
        assert tally.users == pytest.approx(8 * MAX_USERS, rel=0.12)


async def test_a_report_has_so_many_names():
    """Those with the most connections."""
    processes = Processes(1)
    for number in range(MAX_NAMES + 10):
        processes.peers[0].add("ann", f"channel {number}")
    processes.peers[0].add("ann", f"channel {MAX_NAMES + 9}")
    await processes.report()
    names = processes.reports[0]["spoken"]["names"]
    assert len(names) == MAX_NAMES
    assert names[0] == [f"channel {MAX_NAMES + 9}", 2]


async def test_a_report_of_another_release_is_read_as_far_as_known():
    processes = Processes(2)
    processes.reports = [{}, {"spoken": {"connections": 2, "rooms": 7}, "other": {}}]
    tally = processes.tallies[0]
    assert (tally.connections, tally.users, await tally.names()) == (2, 0, {})


@pytest.fixture
async def pair(serve):
    """Two servers on one database; `know` has each know what the other has reported."""
    servers = [await serve(process_name=name) for name in ("web.1", "web.2")]

    async def know():
        # Both know of each other, then both tell.
        for step in ("look_around", "report", "look_around"):
            for server in servers:
                await getattr(server.app[PROCESSES], step)()

    return *servers, know


async def figures(server):
    """Return what the three documented endpoints say, their shapes checked."""
    _, health = await server.call(None, "GET", "/health")
    _, stats = await server.call(None, "GET", "/api/v1/ws/stats")
    _, status = await server.call(None, "GET", "/api/v1/ws/status")
    assert set(stats) == {"success", "data"}
    assert stats["success"] is True
    assert set(stats["data"]) == {"total_clients", "channels"}
    assert set(status) == {"connected_users", "status"}
    return health["ws_connections"], stats["data"], status["connected_users"]


async def open_some(server, name, *channels):
    """Open a connection of each kind; those of the channels are in them."""
    token = await server.token(name)
    clients = [await server.raw(token)]
    for channel in channels:
        target = f"/api/v1/ws?token={token}&channel_id={channel}"
        client = await server.open_at(target)
        assert (await client.frame())["type"] == "channel_joined"
        clients.append(client)
    account = await server.account(name)
    clients.append(await server.open_at(f"/api/v1/ws/{account.id}?token={token}"))
    assert (await clients[-1].ask({"type": "ping"}))["type"] == "pong"
    return clients


async def test_two_servers_say_the_same(pair):
    """/health, the statistics and the status count the clients of both, whichever answers."""
    one, two, know = pair
    await open_some(one, "ann", "general", "music")
    gone = await open_some(two, "bob", "general")
    await open_some(two, "ann")
    await know()
    # `/ws` of ann is the newer one, if the two hear each other; these do not.
    expected = 3, {"total_clients": 3, "channels": {"general": 2, "music": 1}}, 2
    assert await figures(one) == await figures(two) == expected
    for client in gone:
        await client.socket.close()
    expected = 2, {"total_clients": 2, "channels": {"general": 1, "music": 1}}, 1
    async with asyncio.timeout(PATIENCE_S):
        while await figures(two) != expected:  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)
    await know()
    assert await figures(one) == expected


async def test_private_channels_of_another_process_are_not_named(pair):
    one, two, know = pair
    token = await two.token("owner")
    created = await two.call(token, "POST", "/api/v1/channels", {"name": "secret", "private": True})
    assert created[0] == 201
    await open_some(two, "owner", "secret")
    await know()
    assert (await figures(one))[1] == {"total_clients": 1, "channels": {}}
