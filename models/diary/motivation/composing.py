"""Put a motivation together from the pieces that its reader has not seen for longest."""

import hashlib
from dataclasses import dataclass
from itertools import product

from models.diary.motivation.catalogue import Catalogue, Piece, Pool
from models.diary.motivation.catalogue_schema import CRISIS
from models.diary.motivation.port import Progress
from models.diary.motivation.recent import Recent
from models.diary.motivation.words import fill, quote
from models.text import fold


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and what it is made of: ids of pieces, "<when>.<step>.<why>" for the body."""

    text: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What a motivation answers."""

    catalogue: Catalogue
    kind: str
    challenge: str
    stress_level: int
    progress: Progress | None

    @property
    def pool(self) -> Pool:
        """The pieces that fit."""
        named = bool(quote(self.challenge))
        return self.catalogue.pool(self.kind, self.stress_level, named=named)


def compose(request: Request, recent: Recent) -> Written:
    """Write a motivation from the catalogue; the same for the same request and history.

    The body is one not seen before, or the one seen least recently; among the unseen, the one
    whose step, then beginning, then reason has not been seen for longest.
    """
    pool = request.pool
    opening = _least_seen(pool.openings, recent)
    ordered = (
        sorted(parts, key=lambda part: _order(part, recent))
        for parts in (pool.steps, pool.whens, pool.whys)
    )
    body = min(product(*ordered), key=lambda parts: recent.seen(_body_id(*parts)))
    step, when, why = body
    sentence = fill(request.catalogue.body, {"when": when.text, "step": step.text, "why": why.text})
    progress = _progress(request, pool, recent)
    closing = _least_seen(pool.closings, recent)
    return Written(
        text=" ".join(
            [
                fill(opening.text, {"challenge": quote(request.challenge)}),
                sentence,
                *(text for text, _ in progress),
                closing.text,
            ]
        ),
        pieces=(opening.id, _body_id(*body), *(id for _, id in progress), closing.id),
    )


def complete(request: Request, generated: str, recent: Recent, *, gentle: bool) -> Written:
    """Add to a generated text what a generator does not know, or is not trusted with.

    That is the user's progress and, where the tone is `gentle`, where to find someone to talk to.
    """
    pool = request.pool
    added = _progress(request, pool, recent)
    if gentle:
        closing = _least_seen(pool.closings, recent)
        added.append((closing.text, closing.id))
    return Written(
        text=" ".join([generated, *(text for text, _ in added)]),
        pieces=(text_id(generated), *(id for _, id in added)),
    )


def text_id(generated: str) -> str:
    """Return the id under which a generated text is remembered, however it is spaced or spelled."""
    return "g" + hashlib.sha256(" ".join(fold(generated).split()).encode()).hexdigest()[:16]


def _progress(request: Request, pool: Pool, recent: Recent) -> list[tuple[str, str]]:
    progress = request.progress
    # Anyone who is in danger is not told how the running goes.
    if progress is None or request.kind == CRISIS or not quote(progress.title):
        return []
    if progress.done <= 0 or progress.total <= 0:
        return []
    frame = _least_seen(pool.progress, recent)
    line = request.catalogue.progress_line(progress)
    return [(fill(frame.text, {"progress": line}), frame.id)]


def _least_seen(pieces: tuple[Piece, ...], recent: Recent) -> Piece:
    return min(pieces, key=lambda piece: _order(piece, recent))


def _order(piece: Piece, recent: Recent) -> tuple[int, str]:
    """Order by when a piece was seen last, those never seen in an order of each reader's own."""
    return recent.seen(piece.id), recent.shuffled(piece.id)


def _body_id(step: Piece, when: Piece, why: Piece) -> str:
    return f"{when.id}.{step.id}.{why.id}"
