"""How far a goal has come, after whatever moved it."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from models.diary.fixed_point import parse
from models.diary.goals import moves as goal_moves
from models.diary.goals import records as goal_records
from tests.diary_world import ANN, SIGNED_UP

TARGETS = st.integers(1, 50_000)
AMOUNTS = st.lists(st.integers(-20_000, 30_000), max_size=30)


def goal_of(**values):
    fields = {"title": "g", "unit": "", "due_date": None, "members": (), "steps": ()}
    wanted = fields | {"target": None} | values
    return goal_records.new_goal("id", ANN, created_at=SIGNED_UP, **wanted)


def after(goal, values):
    goal = goal | values
    return goal | goal_records.moved(goal, SIGNED_UP, by_hand=True)


@given(target=TARGETS, amounts=AMOUNTS)
def test_numbers(target, amounts):
    """Progress is the exact sum, never below zero, and done is having all of the target."""
    goal = goal_of(kind="number", target=target)
    expected = Fraction(0)
    for amount in amounts:
        more = parse(amount / 1000)
        goal = after(goal, goal_moves.with_current(goal, goal["current"] + more))
        expected = max(Fraction(0), expected + Fraction(amount, 1000))
        shown = goal_records.goal_view(goal, "1")
        assert Fraction(str(shown["current"])) == expected
        assert shown["done"] == (shown["progress"] == 1) == (expected >= Fraction(target, 1000))
        assert shown["done"] == (shown["completed_at"] is not None)
        exact = min(Fraction(1), expected / Fraction(target, 1000))
        assert 0 <= exact - Fraction(str(shown["progress"])) < Fraction(1, 10_000)
        assert (goal["moved_at"] is None) == (expected == 0)


@given(count=st.integers(1, 20), moves=st.lists(st.tuples(st.integers(0, 19), st.booleans())))
def test_steps(count, moves):
    """Progress is the part of the steps that were last said to be done; done is all of them."""
    goal = goal_of(kind="steps", steps=[{"title": str(n)} for n in range(count)])
    ids = [step["id"] for step in goal["steps"]]
    expected = set()
    for n, done in moves:
        step = n % count
        goal = after(goal, goal_moves.with_step(goal, ids[step], done))
        (expected.add if done else expected.discard)(step)
        shown = goal_records.goal_view(goal, "1")
        assert [item["id"] for item in shown["steps"]] == ids
        assert {n for n, item in enumerate(shown["steps"]) if item["done"]} == expected
        assert shown["progress"] == len(expected) * 10_000 // count / 10_000
        assert shown["done"] == (len(expected) == count)
