"""`python -m app emit`: an event for the clients of the running server, by way of Redis."""

import argparse

from redis.exceptions import RedisError

from app import strict_json
from app.operators import reported, say
from app.realtime.emitter import AsyncEmitter, NoStream
from app.settings import Settings
from models.errors import Invalid, Unavailable

EVERYONE = "*"
"""In the place of a room: all clients of the namespace."""


def add_emit_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `emit`."""
    emit = subparsers.add_parser(
        "emit",
        help="send an event to the clients in a room, by way of Redis",
        description="Send an event to the clients in a room, whatever process they are connected "
        "to; print the id of its entry in the stream. Needs the server's REDIS_URL and "
        "MONGODB_DATABASE. Programs do the same by app/realtime/emitter.py.",
    )
    emit.add_argument("namespace", metavar="NAMESPACE", help="with its slash, for example /chat")
    emit.add_argument(
        "room",
        metavar="ROOM",
        help=f"for example user:ID or conversation:ID; {EVERYONE} is everyone in the namespace",
    )
    emit.add_argument("event", metavar="EVENT", help="the name that clients listen to")
    emit.add_argument(
        "arguments", metavar="JSON", nargs="*", help="the event's arguments, each a JSON text"
    )
    emit.add_argument("--except", dest="except_room", metavar="ROOM", help="leave out who is in it")
    emit.add_argument(
        "--volatile", action="store_true", help="not for clients that are away and come back"
    )
    emit.set_defaults(run=reported(emit_event))


async def emit_event(settings: Settings, args: argparse.Namespace) -> None:
    """Emit one event.

    Raises:
        Invalid: it cannot be an event, or no Redis is set.
        Unavailable: it is not known whether it was written.
    """
    if settings.redis_url is None:
        raise Invalid("REDIS_URL is not set: it is what carries events to a running server.")
    arguments = [strict_json.parse(text) for text in args.arguments]
    try:
        async with AsyncEmitter.from_url(
            settings.redis_url, settings.mongodb_database, verify_tls=settings.redis_tls_verify
        ) as emitter:
            entry_id = await emitter.emit(
                args.namespace,
                args.event,
                *arguments,
                rooms=None if args.room == EVERYONE else args.room,
                except_room=args.except_room,
                volatile=args.volatile,
            )
    except (ValueError, TypeError) as error:
        raise Invalid(str(error)) from None
    except NoStream:
        raise Unavailable(
            "No server has run with this REDIS_URL and MONGODB_DATABASE: nothing was sent."
        ) from None
    except (RedisError, OSError) as error:
        # Not its message: it may repeat the address, and with it the password.
        kind = type(error).__name__
        raise Unavailable(f"Redis failed ({kind}); the event was perhaps not written.") from None
    say(f"emitted {entry_id}")
