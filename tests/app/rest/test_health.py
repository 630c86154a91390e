"""`GET /health` while the database is there, and while it is not."""

from dataclasses import replace

from aiohttp import web

from app.rest.health import HealthRoutes
from app.storage import mongodb, open_store
from tests.programs import free_port


async def test_a_healthy_server_has_the_documented_shape(server):
    """It has the fields of docs/older-apis/market-notifications.md."""
    await server.raw(await server.token("one"))
    await server.raw(await server.token("two"))
    await server.socketio(await server.token("two"))
    status, health = await server.call(None, "GET", "/health")
    assert status == 200
    assert list(health.items()) == [
        ("status", "healthy"),
        ("service", "api-gateway"),
        ("ws_connections", 2),
    ]
    # Monitors that need no body ask for none.
    assert await server.call(None, "HEAD", "/health") == (200, None)


async def test_a_server_without_its_database_is_degraded(settings, listening, monkeypatch):
    """The router is told with 503 to send clients elsewhere; the process goes on."""
    monkeypatch.setitem(mongodb.MOTOR_OPTIONS, "serverSelectionTimeoutMS", 100)
    uri = f"mongodb://user:hidden@127.0.0.1:{free_port()}/realtime"
    store = await open_store(replace(settings, mongodb_uri=uri))
    app = web.Application()
    app.add_routes(HealthRoutes(store.ping, lambda: 5).routes())
    doors = listening.doors(await listening.start(app))
    for _ in range(2):
        status, health = await doors.call(None, "GET", "/health")
        assert status == 503
        assert health == {
            "status": "degraded",
            "service": "api-gateway",
            "ws_connections": 5,
            "reason": "The database is away; try again.",
        }
    await store.close()
