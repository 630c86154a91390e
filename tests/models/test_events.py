"""The fields of an event are its payload, and one private part crosses no other door."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

import app.main  # noqa: F401 - imports every domain's events
from models.chat import events, views
from models.diary.motivation.events import MotivationGenerated
from models.diary.motivation.views import MotivationView
from models.events import PRIVATE_FIELD, Event, payload_fields
from models.market.events import OfferClosed, SaleMade
from models.market.views import OfferView, SaleView
from models.notifications.events import NotificationArchived, NotificationsRead, Notified
from models.notifications.views import NotificationContent, NotificationView, UnreadView
from models.stories.events import StoryCreated, StoryReacted, StoryViewed
from models.stories.views import ReactionView, ReaderStoryView, ViewerView
from tests.type_check import faults_in

PERSON: views.UserView = {
    "user_id": "1",
    "user_email": None,
    "user_public_id": "p",
    "user_name": "Ann",
}


def kinds(kind: type[Event] = Event) -> Iterator[type[Event]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith("models.") and hasattr(below, "name"):
            yield below
        yield from kinds(below)


@pytest.mark.parametrize("kind", sorted(set(kinds()), key=lambda kind: kind.name))
def test_an_event_has_no_untyped_payload(kind: type[Event]) -> None:
    """Each field has a type of its own; the private part, if there is one, is the last."""
    names = [each.name for each in fields(kind)]
    assert names
    assert all(each.kw_only for each in fields(kind))
    assert kind.data is Event.data
    assert "payload" not in names
    assert PRIVATE_FIELD not in names or names[-1] == PRIVATE_FIELD


def test_the_private_part_is_not_in_the_payload() -> None:
    """`data` has the fields in their order, `private` the rest."""
    joined = events.ChannelJoined(
        conversation_id="general", at="now", **PERSON, hidden={"user_email": "ann@example.com"}
    )
    assert joined.data() == {"conversation_id": "general", "at": "now", **PERSON}
    assert list(joined.data()) == ["conversation_id", "at", *PERSON]
    assert joined.private() == {"user_email": "ann@example.com"}
    typing = events.Typing(conversation_id="general", at="now", **PERSON)
    assert typing.private() == {}


@pytest.mark.parametrize(
    ("kind", "view"),
    [
        (StoryViewed, ViewerView),
        (MotivationGenerated, MotivationView),
        (StoryReacted, ReactionView),
        (events.NewMessage, views.MessageView),
        (events.ConversationRead, views.ReadState),
        (events.OwnStatusChanged, views.StatusView),
    ],
)
def test_an_event_that_shows_a_record_has_its_fields(kind: type[Event], view: type) -> None:
    """What an answer has of a record, the event has too."""
    assert set(payload_fields(kind)) == set(get_type_hints(view))


def test_a_created_story_has_what_its_readers_are_shown() -> None:
    """All of a `ReaderStoryView`, and its id under the name that other events have for it."""
    assert set(payload_fields(StoryCreated)) == {"story_id", *get_type_hints(ReaderStoryView)}


def test_events_of_the_market_have_what_its_answers_have() -> None:
    """A sale and where it stands in the book; of an offer no field that answers do not have."""
    assert set(payload_fields(SaleMade)) == {"seq", *get_type_hints(SaleView)}
    assert set(payload_fields(OfferClosed)) < set(get_type_hints(OfferView))


def test_events_of_notifications_have_what_answers_have() -> None:
    """What it says, for whom, and the count after it."""
    count = set(get_type_hints(UnreadView))
    assert (
        set(payload_fields(Notified)) == {"user_id", *get_type_hints(NotificationContent)} | count
    )
    assert set(get_type_hints(NotificationContent)) < set(get_type_hints(NotificationView))
    for kind in (NotificationsRead, NotificationArchived):
        assert count < set(payload_fields(kind))


WRONG = "  # wrong"
"""Ends each line of a program in which the type check has to find a fault, and no other line."""

PROGRAMS = {
    "chat": """
from models.chat.events import ConversationRead, Typing
from models.chat.views import ReadState, UserView
def use(user: UserView, read: ReadState) -> None:
    print(Typing(conversation_id="c", att="now", **user))  # wrong
    print(Typing(conversation_id="c", **user))  # wrong
    print(Typing(conversation_id="c", at=1, **user))  # wrong
    print(user["auhtor_id"])  # wrong
    print(ConversationRead(**user))  # wrong
    print(ConversationRead(**read))
    print(Typing(conversation_id="c", at="now", **user))
""",
    "stories": """
from models.accounts.views import PublicUser
from models.stories.events import StoryCreated, StoryReacted, StoryViewed
from models.stories.views import ReactionView, ReaderStoryView, ViewerView
def use(person: PublicUser, story: ReaderStoryView, seen: ViewerView, gave: ReactionView) -> None:
    print(StoryViewed(story_id="s", viewer_id="1", viewer=person, veiwed_at="now"))  # wrong
    print(StoryViewed("s", "1", person, "now"))  # wrong
    print(StoryReacted(**seen))  # wrong
    print(story["expires"])  # wrong
    mistyped: ViewerView = {"story_id": "s", "viewer_id": "1", "viewer": person, "at": "n"}  # wrong
    print(mistyped, StoryCreated(**story))  # wrong
    print(StoryCreated(**story, story_id=story["id"]), StoryViewed(**seen), StoryReacted(**gave))
""",
    "market": """
from models.market.events import BookChanged, BookHeartbeat, OrderChanged, SaleMade
from models.market.views import OfferView, OrderView, SaleView
def use(sale: SaleView, offer: OfferView, order: OrderView) -> None:
    print(OrderChanged(order_id=order["id"], status="paid", att="now"))  # wrong
    print(OrderChanged("1", "paid", "now"))  # wrong
    print(SaleMade(**sale))  # wrong
    print(SaleMade(**offer, seq=1))  # wrong
    print(BookHeartbeat(product_id="p", size="9", seq=1, checksums=[1]))  # wrong
    print(BookChanged(product_id="p", size="9", seq=2, side="bid", price="1", quantity=1))  # wrong
    print(order["seller"], offer["matched_at"])  # wrong
    print(SaleMade(**sale, seq=1), OrderChanged(order_id="1", status="paid", at=sale["at"]))
""",
    "notifications": """
from models.notifications.events import NotificationArchived, NotificationsRead, Notified
from models.notifications.views import NotificationContent, NotificationView, UnreadView
def use(said: NotificationContent, shown: NotificationView, count: UnreadView) -> None:
    print(NotificationArchived(id=1, unraed=0, revision=1))  # wrong
    print(NotificationArchived(1, 0, 1))  # wrong
    print(NotificationArchived(**count))  # wrong
    print(NotificationsRead(ranges=((1, 1),), **count))  # wrong
    print(Notified(user_id="1", **shown, **count))  # wrong
    print(shown["archive"])  # wrong
    print(Notified(user_id="1", **said, **count), NotificationsRead(ranges=[[1, 1]], **count))
    print(NotificationArchived(id=1, **count))
""",
    "diary": """
from models.diary.entries.events import DiaryCleared, EntryCreated
from models.diary.goals.events import GoalInvited, GoalProgress
from models.diary.motivation.events import MotivationGenerated
from models.diary.motivation.views import MotivationView
from models.diary.tasks.events import TaskDue, TaskUpdated
from models.diary.views import EntryView, GoalView, InvitationView, MoverView, TaskView
def use(
    entry: EntryView, task: TaskView, goal: GoalView, asked: InvitationView, text: MotivationView,
    by: MoverView,
) -> None:
    print(DiaryCleared(att="now"))  # wrong
    print(EntryCreated(entry))  # wrong
    print(TaskUpdated(task=entry))  # wrong
    print(TaskDue(reminder_id="r", task=task, due_at="now"))  # wrong
    print(GoalProgress(goal=asked, by=by))  # wrong
    print(GoalProgress(goal=goal))  # wrong
    print(MotivationGenerated(**entry))  # wrong
    print(goal["owner_id"])  # wrong
    print(asked["owner"]["public"])  # wrong
    print(TaskDue(reminder_id="r", task_id=task["id"], task=task, due_at="now"))
    print(EntryCreated(entry=entry), GoalProgress(goal=goal, by=by), GoalInvited(invitation=asked))
    print(MotivationGenerated(**text), DiaryCleared(at="now"))
""",
}


@pytest.mark.fault
@pytest.mark.parametrize("domain", PROGRAMS)
def test_a_typo_in_a_payload_fails_the_type_check(domain: str, tmp_path: Path) -> None:
    """A wrong name, a missing field and a wrong type, in an event and in a record."""
    written = PROGRAMS[domain].splitlines()
    wrong = {number for number, line in enumerate(written, 1) if line.endswith(WRONG)}
    lines, printed = faults_in(PROGRAMS[domain], tmp_path)
    assert lines == wrong, printed
