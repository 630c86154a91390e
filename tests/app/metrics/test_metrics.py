"""`GET /metrics`: what it counts, who may read it."""

import asyncio
import json

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from app.metrics.live import LIVE
from app.metrics.measures import METRICS, Metrics
from app.metrics.routes import metrics_app
from app.realtime.events.memorylog import MemoryLog
from app.realtime.events.meter import DeliveryMeter
from app.realtime.events.publisher import RoomPublisher
from app.realtime.rooms import RoomManager
from app.storage.observed import ObservedDatabase
from models.errors import Unavailable
from models.rooms import user_room
from tests.app.legacy.story_events import reacted
from tests.live import PATIENCE_S

TOKEN = "a-token-of-prometheus-0123456789"


def publisher_to(listeners):
    """Return a publisher to the connections of a server in this process."""
    log = MemoryLog()
    log.begin(listeners)
    return RoomPublisher(log)


async def scrape(server, token=None):
    """Return all samples by name and values of labels, in the order of the labels' names."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with ClientSession() as http, http.get(f"{server.url}/metrics", headers=headers) as got:
        assert got.status == 200
        assert got.content_type == "text/plain"
        return samples(await got.text())


def samples(text):
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def until(server, *key, is_at_least):
    """Scrape until a sample has a value; ends of connections are noted a moment later."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            now = await scrape(server)
            if now.get(key, 0) >= is_at_least:
                return now


async def test_connections_by_door_and_namespace(server):
    """Each connection counts at its door, Socket.IO's by transport and in its namespaces."""
    token = await server.token("one")
    await server.raw(token)
    await server.socketio(token)
    await server.socketio(token, transports=("polling",), namespace="/chat")
    now = await scrape(server)
    assert now["realtime_connections", "/ws", "websocket"] == 1
    assert now["realtime_connections", "/api/v1/ws", "websocket"] == 0
    assert now["realtime_connections", "socket.io", "websocket"] == 1
    assert now["realtime_connections", "socket.io", "polling"] == 1
    assert now["realtime_namespace_clients", "/stories"] == 1
    assert now["realtime_namespace_clients", "/chat"] == 1
    assert now["realtime_namespace_clients", "/market"] == 0


async def test_one_observation_for_each_event(server):
    """However many connections hear an event, its delivery is observed once; all frames count."""
    account = await server.account("one")
    token = await server.token("one")
    raw = await server.raw(token)
    clients = [await server.socketio(token) for _ in range(3)]
    before = await scrape(server)
    await publisher_to(server.app[LIVE].meter).publish(reacted("1"), user_room(account.id))
    assert (await raw.frame())["type"] == "story.reacted"
    for client in clients:
        assert (await client.event())[0] == "story.reacted"
    now = await scrape(server)
    added = {key: now[key] - before.get(key, 0) for key in now}
    assert added["realtime_events_total",] == 1
    assert added["realtime_delivery_seconds_count",] == 1
    assert added["realtime_messages_sent_total", "/ws"] == 1
    assert added["realtime_messages_sent_total", "socket.io"] == 3


async def test_an_event_that_nobody_hears_is_not_observed(server):
    """It counts as an event, and says nothing about delivery."""
    before = await scrape(server)
    await server.story(await server.token("author"))
    now = await scrape(server)
    assert now["realtime_events_total",] == before["realtime_events_total",] + 1
    assert now["realtime_delivery_seconds_count",] == before["realtime_delivery_seconds_count",]


async def test_events_nobody_hears_leave_nothing_behind():
    """Publishing to an empty room schedules nothing."""
    seen = []
    meter = DeliveryMeter(RoomManager(), seen.append)
    await publisher_to(meter).publish(reacted("1"), "nowhere")
    await asyncio.sleep(0)
    assert (meter.events, seen) == (1, [])


async def test_commands_by_code(server):
    """Every command counts once, under its answer's code; names that clients invent are one."""
    client = await server.socketio(await server.token("one"))
    await client.call("list_stories", {})
    await client.call("list_stories", {"limit": "x"})
    await client.call("invented_by_a_client", {})
    now = await scrape(server)
    answers = "realtime_command_answers_total"
    assert now[answers, "ok", "list_stories", "/stories"] == 1
    assert now[answers, "invalid", "list_stories", "/stories"] == 1
    assert now[answers, "unknown_command", "unknown", "/stories"] == 1
    assert now["realtime_command_seconds_count", "list_stories", "/stories"] == 2
    assert "invented" not in repr(now)
    assert now["realtime_messages_received_total", "socket.io"] >= 3


async def test_requests_by_route(server):
    """Requests count under the template of their path; whatever clients send adds no labels."""
    await server.call(None, "GET", "/stories")
    await server.call(None, "GET", "/no/such/path")
    await server.call(None, "BREW", "/no/such/path")
    now = await scrape(server)
    assert now["http_responses_total", "GET", "/stories", "401"] == 1
    assert now["http_responses_total", "GET", "unmatched", "404"] == 1
    assert "BREW" not in repr(now)
    assert "such" not in repr(now)


async def test_limits_that_refuse(serve):
    """A refused message, connection and request count, each once and under what was too many."""
    server = await serve(messages_burst=3, message_delay_s=1, writes_burst=1, messages_per_s=1)
    token = await server.token("one")
    client = await server.socketio(token)
    codes = [
        answer["error"]["code"]
        for answer in await asyncio.gather(*(client.call("list_stories", {}) for _ in range(9)))
        if "error" in answer
    ]
    assert set(codes) == {"too_many_requests"}
    statuses = [(await server.call(token, "POST", "/stories", {}))[0] for _ in range(3)]
    now = await scrape(server)
    assert now["rate_limited_total", "messages"] == len(codes)
    assert now["rate_limited_total", "requests"] == statuses.count(429) > 0


async def test_ends_by_close_code(server):
    """The end of a connection counts at its door; codes that clients invent are one label."""
    first = await server.raw(await server.token("one"))
    await first.socket.close(code=4321)
    now = await until(server, "realtime_closes_total", "other", "/ws", is_at_least=1)
    second = await server.socketio(await server.token("one"))
    await second.client.disconnect()
    now = await until(server, "realtime_closes_total", "1000", "socket.io", is_at_least=1)
    assert "4321" not in repr(now)


async def test_a_client_that_does_not_read(serve):
    """It ends with 1013, and that is what is counted."""
    server = await serve(unsent_bytes=1_000_000)
    slow, quick = [await server.raw(await server.token(name)) for name in ("slow", "quick")]
    rooms = [user_room((await server.account(name)).id) for name in ("slow", "quick")]
    publisher = publisher_to(server.app[LIVE].meter)
    heavy = reacted("550e8400-e29b-41d4-a716-446655440000", emoji="❤" * 100_000)
    for _ in range(60):
        await publisher.publish(heavy, *rooms)
        assert (await quick.frame())["type"] == "story.reacted"
    assert await slow.closed() == 1013
    await until(server, "realtime_closes_total", "1013", "/ws", is_at_least=1)


async def test_the_store_and_the_loop(server):
    """Operations of the store are timed by name; the lag of the loop is measured all the time."""
    await server.story(await server.token("author"))
    now = await until(server, "event_loop_lag_seconds_count", is_at_least=1)
    assert now["store_seconds_count", "insert_one"] > 0
    assert now["store_seconds_count", "find"] > 0
    assert now["queue_depth", "messages"] == 0
    assert now["queue_depth", "passwords"] == 0
    assert now["process_start_time_seconds",] > 0


async def test_a_store_that_is_away():
    """A failed operation is timed, and counts as failed."""

    class Away:
        async def find_one(self, filter):
            raise Unavailable("The database is away; try again.")

    metrics = Metrics()
    observed = ObservedDatabase({"accounts": Away()}, metrics.store_used)
    with pytest.raises(Unavailable):
        await observed["accounts"].find_one({})
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
    }
    assert values["store_failures_total", "find_one"] == 1
    assert values["store_seconds_count", "find_one"] == 1


async def test_production_has_no_metrics(serve):
    """Without a setting the application's port has no such route."""
    server = await serve(environment="production")
    assert (await server.call(None, "GET", "/metrics"))[0] == 404


async def test_production_wants_the_token(serve):
    """With one the route is there, for those who show it."""
    server = await serve(environment="production", metrics_token=TOKEN)
    assert (await server.call(None, "GET", "/metrics"))[0] == 401
    assert (await server.call("another", "GET", "/metrics"))[0] == 401
    assert ("realtime_rooms",) in await scrape(server, TOKEN)


async def test_a_port_of_its_own(serve, listening):
    """What listens on METRICS_PORT has the metrics of the server, and nothing else."""
    server = await serve(environment="production")
    url = await listening.start(metrics_app(server.app[METRICS], server.settings))
    port = listening.doors(url)
    assert ("realtime_rooms",) in await scrape(port)
    assert (await port.call(None, "GET", "/health"))[0] == 404


async def test_connections_that_a_limit_refuses(serve):
    """One too many at a namespace counts as a connection, not as a message."""
    server = await serve(connections_per_account=1)
    token = await server.token("one")
    await server.socketio(token)
    refused = await server.socketio(token)
    assert refused.refusal["data"]["code"] == "too_many_connections"
    assert (await scrape(server))["rate_limited_total", "connections"] == 1


async def connected(server, token, **auth):
    """Open a WebSocket and join `/stories`; returns the socket and the answer to CONNECT."""
    socket = await server.open_at("/socket.io/?EIO=4&transport=websocket")
    await socket.text()
    await socket.send(f"40/stories,{json.dumps({'token': token, **auth})}")
    answer = await socket.text()
    return socket, json.loads(answer.removeprefix("40/stories,"))


async def test_clients_that_come_back(server):
    """Who names where it was counts once, by what came of it; newcomers do not."""
    token = await server.token("one")
    socket, answer = await connected(server, token)
    await socket.socket.close()
    before = await until(server, "realtime_closes_total", "1000", "socket.io", is_at_least=1)
    assert before["realtime_recoveries_total", "recovered"] == 0
    await connected(server, token, pid=answer["pid"])
    await connected(server, token, pid="never heard of")
    now = await scrape(server)
    assert now["realtime_recoveries_total", "unknown"] == 1
    assert now["realtime_recoveries_total", "recovered"] == 1
    assert now["realtime_recoveries_total", "gap"] == 0


async def test_what_the_bus_does(serve, redis):
    """Events are timed until they are read back; what is lost or not known counts."""
    server = await serve(redis_url=redis.url)
    bus = server.app[LIVE].bus
    before = await scrape(server)
    await server.story(await server.token("author"))
    now = await until(
        server,
        "realtime_bus_seconds_count",
        is_at_least=before["realtime_bus_seconds_count",] + 1,
    )
    assert 0 < now["realtime_bus_seconds_sum",] < PATIENCE_S
    assert now["realtime_bus_up",] == 1
    assert now["queue_depth", "bus"] == 0
    for name in ("lost", "gaps", "unknown", "deaf"):
        assert now[f"realtime_bus_{name}_total",] == 0
    writer = bus.connect()
    await writer.xadd(f"{bus.name}:events", {"h": "[99]", "b": "[]"})
    await writer.aclose()
    assert (await until(server, "realtime_bus_unknown_total", is_at_least=1))["realtime_bus_up",]
    redis.stop()
    async with asyncio.timeout(PATIENCE_S):
        while (await scrape(server))["realtime_bus_up",]:  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.05)


async def test_a_process_without_a_bus_has_no_figures_of_one(server):
    """A rule that asks for 0 does not fire where there is nothing to be up."""
    names = {key[0] for key in await scrape(server)}
    assert "realtime_bus_up" not in names
    assert "realtime_bus_deaf_total" not in names
