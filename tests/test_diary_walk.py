"""A day's use of the diary on a running server, by REST and by Socket.IO alike."""

import asyncio
import random
import re

import pytest

from tests.diary_doors import BySocket, Mirror, device, hand, succeed

DOORS = ("rest", "socketio")
ENTRY = {"text": "Cycled to work. 🚲", "mood": 4, "tags": ["work", "bike"]}
RUN = {"title": "Run 10 km", "kind": "number", "target": 10, "unit": "km"}

MADE_HERE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9-]{10}T[0-9:.]{12}Z")
"""Ids and times, of which no two are the same."""


def alike(answers, *ids):
    """Return answers without what differs from one day to the next: ids, times, words found."""
    text = MADE_HERE.sub("…", repr(answers))
    for position, account_id in enumerate(ids):
        text = text.replace(f"'{account_id}'", f"'account {position}'")
    return text


async def day(server, door, ann_name, ben_name):
    """Live through a day at one door; returns all answers in a comparable form, and the devices."""
    ann, ben = await server.account(ann_name), await server.account(ben_name)
    status, _ = await server.call(
        server.issue(ann), "PATCH", "/api/v1/auth/me", {"time_zone": "Asia/Ho_Chi_Minh"}
    )
    assert status == 200
    at_ann, at_ben = await device(server, ann_name), await device(server, ben_name)
    her, his = await hand(door, server, ann_name), await hand(door, server, ben_name)
    answers = [await succeed(her, "create_entry", **ENTRY)]
    today = answers[0]["date"]
    for title, more in (
        ("Water the plants", {"repeat": "daily", "due_date": today}),
        ("Call the bank", {"due_date": today, "priority": "high"}),
        ("Read", {}),
    ):
        answers.append(await succeed(her, "create_task", title=title, **more))
    for task in answers[1:3]:
        done = {"task_id": task["id"], "due_date": today}
        answers += [await succeed(her, "complete_task", **done) for _ in range(2)]
    goal = await succeed(her, "create_goal", **RUN, members=[ben.public_id])
    answers.append(await succeed(his, "list_goal_invitations"))
    answers.append(await succeed(his, "accept_goal", goal_id=goal["id"]))
    for who, amount in ((her, 2.5), (his, 7.5)):
        answers.append(await succeed(who, "add_progress", goal_id=goal["id"], amount=amount))
    answers += [goal, await succeed(his, "list_goals")]
    motivation = await succeed(
        her, "request_motivation", current_challenge="the bank", stress_level=7
    )
    assert motivation.pop("motivation_text")
    summary = await succeed(her, "summary")
    answers += [motivation, summary, await succeed(her, "list_tags")]
    return alike(answers, ann.id, ben.id), (at_ann, at_ben), summary


@pytest.fixture
async def days(serve):
    """The same day at each door, with two accounts of its own."""
    server = await serve(messages_per_s=1000)
    return [await day(server, door, f"ann-{door}", f"ben-{door}") for door in DOORS]


async def test_a_day_is_the_same_at_both_doors(days):
    """Every answer, and every event at both people's devices, is the same but for ids and times."""
    (by_rest, _, _), (by_socket, _, _) = days
    assert by_rest == by_socket
    for _, (at_ann, at_ben), _ in days:
        told = [(await at_ann.event())[0] for _ in range(12)]
        assert told == [
            "entry.created",
            *["task.created"] * 3,
            *["task.completed"] * 2,
            *["goal.created", "goal.updated"],
            *["goal.progress"] * 2,
            "goal.completed",
            "motivation_generated",
        ]
        shared = [(await at_ben.event())[0] for _ in range(6)]
        assert shared == [
            *["goal.invited", "goal.uninvited", "goal.updated"],
            *["goal.progress"] * 2,
            "goal.completed",
        ]
        for client in (at_ann, at_ben):
            # What was told before the answer would have come before it.
            await client.call("no_such_command")
            assert client._events.empty()


async def test_an_answer_too_long_for_a_socket_is_refused(serve):
    """Smaller pages come, the connection is kept, and REST gives everything."""
    server = await serve(messages_per_s=1000)
    by_rest, by_socket = [await hand(door, server, "ann") for door in DOORS]
    for _ in range(46):
        await succeed(by_socket, "create_entry", text="x" * 20_000)
    for command, more in (
        ("list_entries", {"limit": 100}),
        ("search_entries", {"limit": 100, "text": "x"}),
        ("export_diary", {}),
    ):
        assert (await by_socket.do(command, **more))["error"]["code"] == "answer_too_long"
        assert await succeed(by_rest, command, **more)
    assert len((await succeed(by_socket, "list_entries", limit=40))["items"]) == 40


CHANGES = 40
"""Of each device."""


async def scribble(who, chance, mine):
    """Do things at random to one's own things and to those of one's other devices."""
    for number in range(CHANGES):
        kind, thing = chance.choice(mine)
        what = {f"{kind}_id": thing["id"]}
        command, payload = chance.choice(
            {
                "entry": [
                    ("create_entry", {"text": f"{number}"}),
                    ("update_entry", what | {"text": f"{number}", "mood": chance.randint(1, 5)}),
                    ("delete_entry", what),
                ],
                "task": [
                    ("create_task", {"title": f"{number}", "repeat": "daily"}),
                    ("update_task", what | {"title": f"{number}"}),
                    ("complete_task", what),
                    ("reopen_task", what),
                    ("delete_task", what),
                ],
                "goal": [
                    ("add_progress", what | {"amount": chance.randint(-3, 3)}),
                    ("set_progress", what | {"value": chance.randint(0, 12)}),
                    ("update_goal", what | {"title": f"{number}"}),
                ],
            }[kind]
        )
        answer = await who.do(command, **payload)
        if "data" not in answer:
            assert answer["error"]["code"].endswith(("_not_found", "not_the_owner", "not_done"))
        elif command.startswith("create"):
            mine.append((kind, answer["data"]))


def heard_by(client):
    """Return the events that a device has been told of."""
    return [client._events.get_nowait() for _ in range(client._events.qsize())]


@pytest.mark.parametrize("seed", range(2))
async def test_devices_stay_in_step(serve, seed):
    """Two devices and a member of a goal write at once: what each heard is what there is.

    A snapshot taken at any moment and the events heard around it, in whatever order, make up a
    fresh snapshot.
    """
    server = await serve(messages_per_s=10_000)
    ben = await server.account("ben")
    devices = [await device(server, name) for name in ("ann", "ann", "ben")]
    hands = [BySocket(client) for client in devices]
    mine = [("entry", await succeed(hands[0], "create_entry", text=f"{n}")) for n in range(4)]
    mine += [("task", await succeed(hands[0], "create_task", title=f"{n}")) for n in range(4)]
    goal = await succeed(hands[0], "create_goal", **RUN, members=[ben.public_id])
    await succeed(hands[2], "accept_goal", goal_id=goal["id"])
    mine.append(("goal", goal))
    mirrors = [Mirror() for _ in devices]
    chance = random.Random(seed)
    await asyncio.gather(
        scribble(hands[0], random.Random(f"{seed} phone"), mine),
        scribble(hands[1], random.Random(f"{seed} laptop"), mine),
        scribble(hands[2], random.Random(f"{seed} ben"), [("goal", goal)]),
        *(mirror.load(who) for mirror, who in zip(mirrors, hands, strict=True)),
    )
    for client, who, mirror in zip(devices, hands, mirrors, strict=True):
        # What was told before the answer has come before it.
        await client.call("no_such_command")
        events = heard_by(client)
        chance.shuffle(events)
        for name, data in events:
            mirror.hear(name, data)
        fresh = Mirror()
        await fresh.load(who)
        assert mirror.shown == fresh.shown
    assert mirrors[0].shown == mirrors[1].shown
    assert len(mirrors[2].shown) == 1
