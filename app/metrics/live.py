"""What is there at the moment of a scrape: connections, rooms, queues, bytes that wait."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.legacy.routes import LegacyRoutes
from app.memory import Budget
from app.realtime import inbox
from app.realtime.engineio import engine
from app.realtime.events.bus import RedisLog
from app.realtime.events.meter import DeliveryMeter
from app.realtime.socketio.server import SocketServer
from namespaces.gateway import DomainNamespace

POLLING, WEBSOCKET = "polling", "websocket"


@dataclass(frozen=True, slots=True, eq=False)
class Live(Collector):
    """Reads the parts of a running application; costs nothing between scrapes."""

    server: SocketServer
    gateways: Iterable[DomainNamespace]
    legacy: LegacyRoutes
    meter: DeliveryMeter
    budget: Budget
    queues: Mapping[str, Callable[[], int]] = field(default_factory=dict)
    """The depths of further queues by name."""

    bus: RedisLog | None = None
    """What carries events between processes, if anything does."""

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics (prometheus_client)."""
        yield from self._connections()
        yield from self._messages()
        events = CounterMetricFamily("realtime_events", "Events delivered in this process")
        events.add_metric([], self.meter.events)
        yield events
        yield from self._recoveries()
        yield from self._bus()
        rooms = GaugeMetricFamily("realtime_rooms", "Rooms with members, of all namespaces")
        rooms.add_metric([], self._room_count())
        yield rooms
        yield self._queue_depths()
        held = GaugeMetricFamily(
            "realtime_held_bytes", "Bytes that wait for clients: received and unsent"
        )
        self.budget.measure()
        held.add_metric([], self.budget.held_bytes)
        yield held
        limit = GaugeMetricFamily("realtime_held_bytes_limit", "What they may be together")
        limit.add_metric([], self.budget.limit_bytes)
        yield limit

    def _connections(self) -> Iterable[Metric]:
        connections = GaugeMetricFamily(
            "realtime_connections",
            "Open connections; of Socket.IO by transport",
            labels=["door", "transport"],
        )
        sessions = self.server.eio.sockets.values()
        upgraded = sum(session.upgraded for session in sessions)
        connections.add_metric([engine.DOOR, WEBSOCKET], upgraded)
        connections.add_metric([engine.DOOR, POLLING], len(sessions) - upgraded)
        for dialect, endpoint in self.legacy.items():
            connections.add_metric([dialect.path, WEBSOCKET], len(endpoint))
        yield connections
        clients = GaugeMetricFamily(
            "realtime_namespace_clients", "Socket.IO clients by namespace", labels=["namespace"]
        )
        for gateway in self.gateways:
            clients.add_metric([gateway.namespace], len(gateway))
        yield clients

    def _messages(self) -> Iterable[Metric]:
        sent_to = self.server.manager.frames_sent
        received = CounterMetricFamily(
            "realtime_messages_received", "Messages of clients", labels=["door"]
        )
        sent = CounterMetricFamily(
            "realtime_messages_sent", "Messages to clients: events and answers", labels=["door"]
        )
        traffic = self.server.eio.traffic
        received.add_metric([engine.DOOR], traffic.received)
        sent.add_metric([engine.DOOR], traffic.sent + sent_to[None])
        for dialect, endpoint in self.legacy.items():
            received.add_metric([dialect.path], endpoint.traffic.received)
            sent.add_metric([dialect.path], endpoint.traffic.sent + sent_to[dialect])
        yield received
        yield sent

    def _recoveries(self) -> Iterable[Metric]:
        if self.server.recovery is None:
            return
        recoveries = CounterMetricFamily(
            "realtime_recoveries",
            "Socket.IO clients that came back and wanted to go on, by what came of it",
            labels=["outcome"],
        )
        for outcome, count in self.server.recovery.outcomes.items():
            recoveries.add_metric([outcome], count)
        yield recoveries

    def _bus(self) -> Iterable[Metric]:
        up = GaugeMetricFamily(
            "realtime_bus_up", "1 while events of other processes arrive here, 0 while not"
        )
        lost = CounterMetricFamily(
            "realtime_bus_lost", "Events that were not written: too many waited for Redis"
        )
        gaps = CounterMetricFamily(
            "realtime_bus_gaps", "Times that the clients here were told to catch up"
        )
        unknown = CounterMetricFamily(
            "realtime_bus_unknown", "Entries passed over, of a format that is not known here"
        )
        deaf = CounterMetricFamily(
            "realtime_bus_deaf",
            "Times that this process did not read what it had written, and began anew",
        )
        # Without a bus there are no samples, so that no rule fires.
        if self.bus is not None:
            up.add_metric([], self.bus.problem is None)
            lost.add_metric([], self.bus.lost)
            gaps.add_metric([], self.bus.gaps)
            unknown.add_metric([], self.bus.unknown)
            deaf.add_metric([], self.bus.deaf)
        yield from (up, lost, gaps, unknown, deaf)

    def _room_count(self) -> int:
        count: int = self.server.manager.room_count
        return count

    def _queue_depths(self) -> Metric:
        depths = GaugeMetricFamily(
            "queue_depth",
            "What waits or is under way: `messages` of clients, one for each connection that has "
            "some; and others by name",
            labels=["queue"],
        )
        names = [task.get_name() for task in asyncio.all_tasks()]
        depths.add_metric(["messages"], names.count(inbox.TASK_NAME))
        depths.add_metric(["slow_commands"], names.count(inbox.BESIDE))
        for name, depth in self.queues.items():
            depths.add_metric([name], depth())
        return depths


LIVE: web.AppKey[Live] = web.AppKey("live", Live)
"""The application's one."""
