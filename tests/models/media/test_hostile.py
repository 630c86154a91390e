"""Hostile files: damaged at random, and made to take long."""

import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.media import Malformed, NotMedia, clean
from models.media.source import (
    BYTES_PER_STEP,
    FREE_STEPS,
    PARTS_MAX,
    Edits,
    Parts,
    Source,
    Span,
)
from tests.media_files import SECRET, av_file
from tests.models.media.test_cleaning import FILMS, PICTURES, outcome
from tests.pictures import chunk

pytestmark = pytest.mark.fault

BYTES = 200_000

FILES = [
    *(make for _, make in PICTURES.values()),
    *(
        lambda arguments=arguments, options=options: av_file(*arguments, **options)
        for _, arguments, options in FILMS.values()
    ),
]

damages = st.lists(
    st.tuples(
        st.sampled_from(("flip", "set", "cut", "insert", "copy", "end")),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 255),
        st.sampled_from((1, 2, 4, 8, 100)),
    ),
    min_size=1,
    max_size=3,
)


def damaged(data, changes):
    """Change bytes, cut and copy pieces, as `changes` say."""
    made = bytearray(data)
    for how, place, value, length in changes:
        at = int(place * len(made))
        if how == "flip" and made:
            made[at] ^= value
        elif how == "set":
            made[at : at + length] = bytes([value]) * length
        elif how == "cut":
            del made[at : at + length]
        elif how == "insert":
            made[at:at] = bytes([value]) * length
        elif how == "copy":
            made[at:at] = made[at : at + length]
        else:
            del made[at:]
    return bytes(made)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(which=st.integers(0, len(FILES) - 1), changes=damages)
def test_damaged_files(which, changes):
    """A damaged file is refused or loses its metadata as well; nothing else ever happens."""
    assert SECRET not in outcome(damaged(FILES[which](), changes))


@pytest.mark.parametrize("which", range(len(FILES)))
def test_files_that_are_cut_short(which):
    """A file that ends anywhere is refused, or what came of it is without metadata."""
    whole = FILES[which]()
    for end in range(0, len(whole), max(1, len(whole) // 20)):
        assert SECRET not in outcome(whole[:end])


def box(kind, content=b""):
    return struct.pack(">I", len(content) + 8) + kind + content


FTYP = box(b"ftyp", b"isom\0\0\0\0")
EBML = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\x01" + b"\xff" * 7
GIF = b"GIF89a\1\0\1\0\0\0\0"
OGG = b"OggS" + bytes(23)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * BYTES,
        b"\xff\xd8" + b"\xff\xfe\0\2" * (BYTES // 4),
        b"\xff\xd8\xff\xc0\0\x0b" + bytes(5) + b"\1\0\0\0" + b"\xff\xda\0\6\0\0\0\0" * (BYTES // 8),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"teXt", b"") * (BYTES // 12),
        GIF + b"\x21\xfe" + b"\1x" * (BYTES // 2),
        GIF + b"\x21\xfe\0" * (BYTES // 3),
        b"RIFF" + struct.pack("<I", BYTES) + b"WEBP" + b"XXXX\0\0\0\0" * (BYTES // 8),
        b"RIFF" + struct.pack("<I", BYTES) + b"WAVE" + b"XXXX\0\0\0\0" * (BYTES // 8),
        b"MM\0\x2a\0\0\0\x08\xff\xff" + b"\x01\x11\0\4\xff\xff\xff\xff\0\0\0\0" * (BYTES // 12),
        FTYP + box(b"free") * (BYTES // 8),
        FTYP + box(b"mdat") * (BYTES // 16) + box(b"moov", box(b"free") * (BYTES // 16)),
        FTYP + box(b"moov", box(b"trak") * (BYTES // 8)),
        FTYP + b"".join(struct.pack(">I", 8 * n + 8) + b"moov" for n in range(25_000, 0, -1)),
        EBML + b"\xec\x80" * (BYTES // 2),
        EBML + b"\x1f\x43\xb6\x75\xff" * (BYTES // 5),
        OGG * (BYTES // len(OGG)),
        b"ID3\4\0\0\0\0\0\0" * (BYTES // 10),
        b"ID3\4\0\0\0\0\0\0" + b"\xff\xe0" * (BYTES // 2),
        b"ID3\4\0\0\0\0\0\0" + b"\xff\xfb\x90\x64" * (BYTES // 4),
        b"fLaC" + bytes(BYTES),
    ],
    ids=range(20),
)
def test_files_that_would_take_long(data):
    """200 kB take a thread less than a second of its processor, however it is cut up."""
    began = time.thread_time()
    with pytest.raises((Malformed, NotMedia)):
        clean(data)
    assert time.thread_time() - began < 1


def test_steps_are_counted():
    """Parsing stops after as many steps as are in proportion to the file."""
    source = Source(bytes(400))
    for _ in range(FREE_STEPS + 400 // BYTES_PER_STEP):
        source.step()
    with pytest.raises(Malformed):
        source.step()


def test_parts_are_counted():
    """What is kept apart in memory is bounded, and what touches is kept as one."""
    parts = Parts()
    for n in range(PARTS_MAX + 10):
        parts.append(Span(n, n + 1))
    assert parts == [Span(0, PARTS_MAX + 10)]
    with pytest.raises(Malformed):
        parts += (b"x" for _ in range(PARTS_MAX))


def test_changes_in_one_place():
    """Two parts of a file that lie over each other make it unreadable, in any order."""
    for first, second in (((10, 20), (15, 25)), ((15, 25), (10, 20)), ((10, 20), (10, 20))):
        edits = Edits(Source(bytes(100)))
        edits.blank(*first)
        edits.write(second[0], b"x" * (second[1] - second[0]))
        with pytest.raises(Malformed):
            edits.parts(100)
    edits = Edits(Source(bytes(100)))
    with pytest.raises(Malformed):
        edits.blank(90, 101)
