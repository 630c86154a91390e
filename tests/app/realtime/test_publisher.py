"""From an event of a domain to the rooms."""

from dataclasses import dataclass
from typing import Any

from app.realtime.events.publisher import RoomPublisher
from models.events import Event
from tests.app.realtime.test_rooms import Dialect, RawPeer, Town


@dataclass(frozen=True)
class Rained(Event):
    """Something happened."""

    domain = "n"
    name = "news"

    n: int

    def data(self) -> dict[str, Any]:
        return {"n": self.n}


async def test_an_event_goes_to_each_member_once() -> None:
    """The namespace is the event's domain, and members of several rooms are told once."""
    town = Town()
    await town.client("a", "x", "y")
    peer = RawPeer(Dialect())
    town.manager.enter_peer(peer, ["x", "y"])
    await RoomPublisher(town.manager.log).publish(Rained(5), "x", "y")
    assert town.heard("a") == ['42/n,["news",{"n":5}]']
    assert len(peer.frames) == 1


async def test_an_event_for_no_room_goes_to_nobody() -> None:
    """Without rooms nothing is said, least of all to everyone."""
    town = Town()
    await town.client("a", "x")
    await RoomPublisher(town.manager.log).publish(Rained(5))
    assert town.heard("a") == []
