"""The budget of the process: what is counted, who goes first, and where its size comes from."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.memory import FALLBACK_MEMORY_BYTES, Budget, memory_limit_bytes


class Keeper:
    """Keeps as many bytes as it is made to; a stubborn one frees hardly any when it is shed."""

    def __init__(self, budget: Budget, *, stubborn: bool = False) -> None:
        self.budget = budget
        self.held_bytes = 0
        self.stubborn = stubborn
        self.ended = ""

    def keep(self, held: int) -> "Keeper":
        self.held_bytes = held
        self.budget.update(self)
        return self

    def shed(self) -> None:
        self.ended += "s"
        # A stubborn one reports that it frees next to nothing.
        self.keep(self.held_bytes - 1 if self.stubborn and self.held_bytes else 0)

    def abort(self) -> None:
        self.ended += "a"
        self.keep(0)


def test_the_largest_is_shed_and_the_others_stay() -> None:
    """Past the limit the one that holds most goes, whoever it was that asked for more."""
    budget = Budget(1000)
    small, large, middle = (Keeper(budget).keep(size) for size in (100, 600, 300))
    small.keep(110)
    assert (small.ended, large.ended, middle.ended) == ("", "s", "")
    assert budget.held_bytes == 410


def test_what_was_freed_unnoted_is_measured_before_anyone_is_shed() -> None:
    """A holder that shrank by itself makes room without a word."""
    budget = Budget(1000)
    first, second = Keeper(budget).keep(900), Keeper(budget)
    first.held_bytes = 10
    second.keep(900)
    assert (first.ended, second.ended) == ("", "")
    assert budget.held_bytes == 910


def test_those_that_take_long_to_leave_are_aborted_at_the_hard_limit() -> None:
    """Bytes of holders that were shed count on; past a further quarter they are dropped."""
    budget = Budget(1000)
    stubborn = [Keeper(budget, stubborn=True) for _ in range(8)]
    for keeper in stubborn[:3]:
        keeper.keep(400)
    assert sorted(keeper.ended for keeper in stubborn[:3]) == ["", "", "s"]
    assert budget.held_bytes == 1199
    for keeper in stubborn[3:]:
        keeper.keep(400)
        assert budget.held_bytes <= budget.hard_limit_bytes
    assert {keeper.ended for keeper in stubborn} == {"", "sa"}
    for keeper in stubborn:
        keeper.keep(0)
    assert budget.held_bytes == 0


def test_a_holder_that_fails_to_leave_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged, it is aborted, and the next one in size is not touched."""
    budget = Budget(1000)

    class Failing(Keeper):
        def shed(self) -> None:
            raise RuntimeError("a mistake")

    other, failing = Keeper(budget).keep(300), Failing(budget).keep(701)
    assert (other.ended, failing.ended) == ("", "a")
    assert budget.held_bytes == 300
    assert "a mistake" in caplog.text
    caplog.clear()


MOVES = st.lists(
    st.tuples(
        st.integers(0, 9), st.integers(0, 400), st.sampled_from(("keep", "shrink", "forget"))
    ),
    max_size=80,
)


@given(moves=MOVES, stubborn=st.sets(st.integers(0, 9)))
def test_the_sum_never_drifts(moves: list[tuple[int, int, str]], stubborn: set[int]) -> None:
    """After any moves the total is within the hard limit, and is nothing when all hold nothing."""
    budget = Budget(1000)
    keepers = [Keeper(budget, stubborn=number in stubborn) for number in range(10)]
    for number, size, move in moves:
        keeper = keepers[number]
        if move == "keep":
            keeper.keep(size)
        elif move == "shrink":
            keeper.held_bytes = min(size, keeper.held_bytes)
        else:
            keeper.held_bytes = 0
            budget.forget(keeper)
        held = sum(keeper.held_bytes for keeper in keepers)
        assert held <= budget.held_bytes
        if move != "shrink":
            budget.measure()
        assert move == "shrink" or held == budget.held_bytes
        assert budget.held_bytes <= budget.hard_limit_bytes
    for keeper in keepers:
        keeper.keep(0)
    assert budget.held_bytes == 0
    assert budget._staying.of == budget._leaving.of == {}


MIB = 1024**2


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        # Version 2: the group's own limit, that of one above it, none.
        ("0::/a/b", {"a/b/memory.max": f"{64 * MIB}"}, 64 * MIB),
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": f"{32 * MIB}"}, 32 * MIB),
        # A container sees its own group as the root, under whatever name.
        ("0::/docker/x", {"memory.max": f"{48 * MIB}"}, 48 * MIB),
        # Version 1, where none is a huge number.
        ("4:cpu,memory:/x\n0::/", {"memory/x/memory.limit_in_bytes": f"{16 * MIB}"}, 16 * MIB),
        (
            "4:memory:/x",
            {
                "memory/x/memory.limit_in_bytes": "9223372036854771712",
                "memory/memory.limit_in_bytes": f"{8 * MIB}\n",
            },
            8 * MIB,
        ),
    ],
)
def test_the_limit_of_a_control_group_is_found(
    tmp_path: Path, own: str, files: dict[str, str], limit: int
) -> None:
    """The least limit of the process's groups counts."""
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory_limit_bytes(tmp_path / "groups", tmp_path / "own") == limit


def test_without_limits_the_machine_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No control group: physical memory; where that is not told either, a small machine."""
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    assert memory_limit_bytes(tmp_path, tmp_path / "none") == 4_096_000
    monkeypatch.delattr("os.sysconf")
    assert memory_limit_bytes(tmp_path, tmp_path / "none") == FALLBACK_MEMORY_BYTES
