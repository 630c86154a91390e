"""Run the benchmarks and print their table: `python -m bench [--runs 5] [--members 8000]`.

Every figure is the median of the runs; in each run all servers are measured one after the other,
and ratios are made within a run. Servers are processes of their own; this one is the load.
"""

import argparse
import dataclasses
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import uvloop

from bench import inward, scenarios
from bench.chat import chat
from bench.market import market, market_depth
from bench.reaction import reaction
from bench.server import (
    BARE,
    BUN,
    NODE,
    NODE_WS,
    OURS,
    OURS_RAW,
    OURS_RECOVERING,
    STOCK,
    Kind,
    is_there,
)

Figures = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One block of the table: the same measurement of several servers, ours first."""

    title: str
    kinds: tuple[Kind, ...]
    measure: Callable[[Kind], Awaitable[Any]]


_INWARD = (OURS, NODE, BUN)


def _scenarios(members: int) -> list[Scenario]:
    room = f"{members:,}"
    rounds = max(20, 200_000 // members)

    def stock_slower(kind: Kind, count: int) -> int:
        # Enough for a steady figure; stock is an order slower.
        return max(5, count // 10) if kind is STOCK else count

    return [
        Scenario(
            "One event of 150 bytes to a room of 1,000",
            (OURS, NODE, STOCK, BARE),
            lambda kind: scenarios.fanout(kind, 1000, rounds=stock_slower(kind, 200)),
        ),
        Scenario(
            f"One event of 150 bytes to a room of {room}",
            (OURS, NODE, STOCK, BARE),
            lambda kind: scenarios.fanout(kind, members, rounds=stock_slower(kind, rounds)),
        ),
        Scenario(
            "Recovery: one event to a room of 1,000, with its offset and kept",
            (OURS_RECOVERING, OURS),
            lambda kind: scenarios.fanout(kind, 1000, rounds=200),
        ),
        Scenario(
            f"Recovery: {room} idle connections that can come back",
            (OURS_RECOVERING, OURS),
            lambda kind: scenarios.memory(kind, members),
        ),
        Scenario(
            "Bursts: 10 events in one turn of the loop to a room of 1,000",
            (OURS, NODE),
            lambda kind: scenarios.fanout(kind, 1000, rounds=40, burst=10),
        ),
        Scenario(
            "Raw WebSockets: one event to a room of 1,000",
            (OURS_RAW, NODE_WS),
            lambda kind: scenarios.fanout(kind, 1000, rounds=200),
        ),
        Scenario(
            f"Socket.IO connections: {room} idle, authenticated, in two rooms",
            (OURS, NODE, STOCK),
            lambda kind: scenarios.memory(kind, members),
        ),
        Scenario(
            f"Raw connections: {room} idle, authenticated, in two rooms",
            (OURS_RAW, NODE_WS),
            lambda kind: scenarios.memory(kind, members),
        ),
        Scenario("The way in: tiny commands with an ack from 100 clients", _INWARD, inward.echo),
        *(
            Scenario(
                f"The way in: a typing game of {players} players in rooms of six",
                _INWARD,
                lambda kind, players=players: inward.game(kind, players),  # type: ignore[misc]
            )
            for players in (300, 900)
        ),
        Scenario("The way in: connections accepted with a token", _INWARD, inward.accepted),
        Scenario(
            f"One recipient among {room} idle connections, 200 events a second",
            (OURS, NODE),
            lambda kind: scenarios.one_among_many(kind, members),
        ),
        Scenario(
            "1,000 clients that stop reading, beside 200 that go on",
            (OURS,),
            lambda kind: scenarios.slow_clients(kind, 1000),
        ),
        *(
            Scenario(
                f"Cost by size: one event to a room of {size:,}",
                (OURS, BARE),
                lambda kind, size=size: scenarios.fanout(  # type: ignore[misc]
                    kind, size, rounds=10, turns=max(4, 40_000 // size)
                ),
            )
            for size in (10, 100, 1000, members)
        ),
    ]


_WHOLE: tuple[tuple[str, Callable[[], Awaitable[Any]]], ...] = (
    (
        "Whole application: connections accepted with a token and its account",
        inward.accepted_by_application,
    ),
    ("Whole application: chat messages of eight clients in one channel", inward.messages),
    ("Whole application: REST reaction to frame at the author's two clients", reaction),
    ("Whole application: chat in a channel of 1,000 over two transports, and a long history", chat),
    ("Whole application: the market's matches, their notifications, and a deep book", market),
    ("Whole application: CPU for a match by the depth of its book", market_depth),
)
"""What is measured of `python -m app` with its embedded store."""


async def _run(runs: int, members: int, only: str) -> Iterable[str]:
    lines = []
    for scenario in _scenarios(members):
        if only.lower() not in scenario.title.lower():
            continue
        kinds = [kind for kind in scenario.kinds if is_there(kind)]
        figures: dict[Kind, list[Figures]] = {kind: [] for kind in kinds}
        for run in range(runs):
            for kind in kinds:
                sys.stderr.write(f"{scenario.title}: {kind.name}, run {run + 1} of {runs}\n")
                figures[kind].append(dataclasses.asdict(await scenario.measure(kind)))
        lines += _block(scenario.title, figures)
    for title, measure in _WHOLE:
        if only.lower() in title.lower():
            sys.stderr.write(f"{title}: {runs} runs\n")
            lines += _whole(title, [dataclasses.asdict(await measure()) for _ in range(runs)])
    return lines


def _block(title: str, figures: dict[Kind, list[Figures]]) -> list[str]:
    ours = next(iter(figures.values()))
    names = list(ours[0])
    lines = [f"### {title}", "", "| server | " + " | ".join(names) + " |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for kind, runs in figures.items():
        cells = [f"{_median(runs, name):,.2f}" for name in names]
        if runs is not ours:
            pairs = list(zip(ours, runs, strict=True))
            cells = [
                f"{cell} ({_ratio(pairs, name)})" for cell, name in zip(cells, names, strict=True)
            ]
        lines.append(f"| {kind.name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _median(runs: list[Figures], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def _ratio(pairs: list[tuple[Figures, Figures]], name: str) -> str:
    """Say how many times this server's figure ours is, run by run."""
    ratios = [ours[name] / theirs[name] for ours, theirs in pairs if theirs[name]]
    return f"ours: {statistics.median(ratios):.2f} of it" if ratios else "-"


def _whole(title: str, runs: list[Figures]) -> list[str]:
    names = list(runs[0])
    return [
        f"### {title}",
        "",
        "| " + " | ".join(names) + " |",
        "|---" * len(names) + "|",
        "| " + " | ".join(f"{_median(runs, name):.2f}" for name in names) + " |",
        "",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--members", type=int, default=8000, help="size of the large room")
    parser.add_argument("--only", default="", help="only scenarios whose title has this text")
    parser.add_argument("--write", type=Path, help="also write the table to this file")
    args = parser.parse_args()
    if not is_there(NODE):
        print("Node's servers are left out: run `npm ci` in bench/peers first.", file=sys.stderr)
    if not is_there(BUN):
        how = "`npm ci` and `node node_modules/bun/install.js`"
        print(f"Bun's engine is left out: run {how} in bench/peers first.", file=sys.stderr)
    command = f"python -m bench --runs {args.runs} --members {args.members}"
    table = "\n".join(uvloop.run(_run(args.runs, args.members, args.only)))
    print(table)
    if args.write:
        args.write.write_text(f"# Results\n\n`{command}`\n\n{table}", encoding="utf-8")


if __name__ == "__main__":
    main()
