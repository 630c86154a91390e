"""Media judged by its content, and freed of what says who made it and where."""

import io
import struct

import pytest
from PIL import Image

from models.media import Malformed, NotMedia, clean
from tests import media_files as made
from tests.media_files import SECRET, av_file, frames, shown
from tests.pictures import chunk

DEFAULT_BASE = "frag_keyframe+empty_moov+default_base_moof"

PICTURES = {
    "jpeg": ("image/jpeg", made.jpeg),
    "progressive": ("image/jpeg", lambda: made.jpeg(8, progressive=True)),
    "png": ("image/png", made.png),
    "apng": ("image/png", made.apng),
    "gif": ("image/gif", made.gif),
    "webp": ("image/webp", made.webp),
    "webp lossless": ("image/webp", lambda: made.webp(lossless=True)),
    "webp animated": ("image/webp", lambda: made.webp(animated=True)),
    "tiff": ("image/tiff", made.tiff),
    "tiff of jpegs": ("image/tiff", lambda: made.tiff("jpeg")),
    "tiff of pages": ("image/tiff", lambda: made.tiff("tiff_deflate", 3)),
    "heic": ("image/heic", made.heic),
    "heic burst": ("image/heic", made.heic_burst),
    "avif": ("image/avif", made.avif),
}

FILMS = {
    "mp4": ("video/mp4", ("mp4", "libx264", "aac"), {}),
    "mov": ("video/quicktime", ("mov", "libx264", "aac"), {"movflags": "use_metadata_tags"}),
    "mov with pcm": ("video/quicktime", ("mov", "mpeg4", "pcm_s16le"), {}),
    "3gp": ("video/3gpp", ("3gp", "h263", "libopencore_amrnb"), {}),
    "3gp voice": ("audio/3gpp", ("3gp", None, "libopencore_amrnb"), {}),
    "mp4 in fragments": (
        "video/mp4",
        ("mp4", "libx264", "aac"),
        {"movflags": "frag_keyframe+empty_moov"},
    ),
    "m4a": ("audio/mp4", ("ipod", None, "aac"), {}),
    "voice of Safari": ("audio/mp4", ("mp4", None, "aac"), {"movflags": DEFAULT_BASE}),
    "mp4 with opus": ("audio/mp4", ("mp4", None, "libopus"), {}),
    "mp4 with flac": ("audio/mp4", ("mp4", None, "flac"), {"strict": "-2"}),
    "webm": ("video/webm", ("webm", "libvpx", "libopus"), {}),
    "voice of Chrome": ("audio/webm", ("webm", None, "libopus"), {}),
    "webm with vorbis": ("video/webm", ("webm", "libvpx", "vorbis"), {"live": "1"}),
    "mkv": ("video/matroska", ("matroska", "libx264", "flac"), {}),
    "mka": ("audio/matroska", ("matroska", None, "vorbis"), {}),
    "mp3": ("audio/mpeg", ("mp3", None, "libmp3lame"), {"write_id3v1": "1"}),
    "aac": ("audio/aac", ("adts", None, "aac"), {"write_id3v2": "1"}),
    "flac": ("audio/flac", ("flac", None, "flac"), {}),
    "voice of Firefox": ("audio/ogg", ("ogg", None, "libopus"), {}),
    "ogg vorbis": ("audio/ogg", ("ogg", None, "vorbis"), {}),
    "ogg flac": ("audio/ogg", ("ogg", None, "flac"), {}),
    "wav": ("audio/wav", ("wav", None, "pcm_s16le"), {}),
}


def cleaned(data):
    """Return the type and the content of a file when it is cleaned."""
    result = clean(data)
    content = b"".join(result.pieces(data))
    assert len(content) == result.size
    return result.content_type, content


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name):
    """A picture keeps its pixels, its frames and how it is turned, and loses all metadata."""
    expected, make = PICTURES[name]
    original = make()
    assert SECRET in original
    content_type, content = cleaned(original)
    assert content_type == expected
    assert SECRET not in content
    assert shown(content) == shown(original)
    with Image.open(io.BytesIO(content)) as image:
        tags = image.getexif()
        assert not set(tags) & {made.GPS, made.MAKE, made.MODEL, made.SOFTWARE, made.DESCRIPTION}
        assert image.info.get("icc_profile") == Image.open(io.BytesIO(original)).info.get(
            "icc_profile"
        )
    assert cleaned(content) == (content_type, content)


@pytest.mark.parametrize("name", FILMS)
def test_sound_and_films(name):
    """Sound and film keep what they play, are judged by their tracks, and lose all metadata."""
    expected, arguments, options = FILMS[name]
    original = av_file(*arguments, **options)
    assert SECRET in original
    content_type, content = cleaned(original)
    assert content_type == expected
    assert SECRET not in content
    assert frames(content) == frames(original)
    assert cleaned(content) == (content_type, content)


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("make", [made.jpeg, made.png])
def test_orientations(make, turned):
    """A picture is shown as it was, whichever way the phone was held."""
    original = make(turned)
    _, content = cleaned(original)
    assert shown(content) == shown(original)
    assert Image.open(io.BytesIO(content)).getexif().get(made.ORIENTATION, 1) == turned


def test_a_recording_that_does_not_say_its_length():
    """A WebM whose segment and clusters have no length, as MediaRecorder makes it, is read."""
    original = made.as_live(av_file("webm", "libvpx", "libopus"))
    assert original != av_file("webm", "libvpx", "libopus")
    content_type, content = cleaned(original)
    assert (content_type, SECRET in content) == ("video/webm", False)
    assert frames(content) == frames(original)


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "webp", "heic"])
@pytest.mark.parametrize(
    "trailer",
    [made.jpeg, lambda: av_file("mp4", "libx264", "aac"), lambda: b"PK\3\4" + SECRET],
    ids=["second picture", "motion photo", "archive"],
)
def test_what_follows_a_picture_is_cut_off(name, trailer):
    """Second pictures, videos and archives behind a picture do not come along."""
    original = PICTURES[name][1]()
    expected = cleaned(original)
    if name == "heic":
        # What follows boxes is taken for boxes: it is emptied, or the file is refused.
        assert SECRET not in outcome(original + trailer())
        return
    assert cleaned(original + trailer()) == expected


def test_several_photos_in_one_file():
    """Of photos in one file the first one stays."""
    _, content = cleaned(made.mpo())
    assert made.mpo().count(SECRET) > content.count(SECRET) == 0
    assert shown(content) == shown(made.mpo())[:1]


def test_a_video_in_a_box_of_its_own():
    """A motion photo's box becomes free space."""
    video = av_file("mp4", "libx264", "aac")
    box = struct.pack(">I", len(video) + 8) + b"mpvd" + video
    _, content = cleaned(made.heic() + box)
    assert SECRET not in content
    assert content.endswith(b"free" + bytes(len(video)))
    assert shown(content) == shown(made.heic())


@pytest.mark.parametrize(
    ("arguments", "options", "sound", "other"),
    [
        (("mov", "mpeg4", "pcm_s16le"), {}, b"soun", b"meta"),
        (("mp4", "libx264", "aac"), {"movflags": DEFAULT_BASE}, b"soun", b"text"),
        (("matroska", "mpeg4", "pcm_s16le"), {}, b"\x83\x81\x02", b"\x83\x81\x11"),
    ],
    ids=["mov", "fragments", "mkv"],
)
def test_tracks_of_other_kinds_go(arguments, options, sound, other):
    """Timed metadata, such as a path of positions, goes with all its samples; the film stays."""
    original = av_file(*arguments, **options)
    assert sound in original
    content_type, content = cleaned(original.replace(sound, other))
    assert content_type.startswith("video/")
    assert len(content) == len(original)
    assert frames(content) == {"VideoFrame": frames(original)["VideoFrame"]}
    # Of the sound nothing is left, wherever it stood.
    with made.av.open(io.BytesIO(original)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size > 16]
    assert packets
    assert not any(packet in content for packet in packets)


def test_a_still_picture_is_no_film():
    """A file of boxes with neither tracks nor images, or with another handler only, is refused."""
    original = av_file("mp4", None, "aac")
    with pytest.raises(Malformed):
        clean(original.replace(b"soun", b"hint"))
    with pytest.raises(Malformed):
        clean(original.replace(b"moov", b"free"))


def test_an_animation_without_its_trailer():
    """A GIF that lacks the last byte, as some programs write it, gets it."""
    assert cleaned(made.gif()[:-1]) == cleaned(made.gif())


def test_a_bitmap_does_not_name_its_profile():
    """A BMP keeps its pixels, not the path of a profile, what is between, nor what follows."""
    plain = made.bmp()
    pixels = plain[54:]
    header = struct.pack("<IiiHHIIiiII", 124, 64, 32, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    header += bytes(16) + b"KNIL" + bytes(48) + struct.pack("<III", 0, 138, len(SECRET)) + bytes(4)
    start = 14 + len(header) + len(SECRET)
    file = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    original = file + header + SECRET + pixels
    content_type, content = cleaned(original + SECRET)
    assert (content_type, SECRET in content) == ("image/bmp", False)
    assert shown(content) == shown(plain)
    assert cleaned(plain) == ("image/bmp", plain)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PN",
        b"<html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"MZ\x90\0",
        b"PK\3\4",
        b"BM is how this text begins, which is no picture",
        b"RIFF\x10\0\0\0AVI LIST",
        b"\xff\xfe<\0h\0t\0m\0l\0",
        b"\xff\xfb\xf0\x64",
    ],
)
def test_other_files(data):
    """What does not begin like media is told apart from damaged media."""
    with pytest.raises(NotMedia):
        clean(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x04\0\0\0WEBP",
        b"RIFF\x04\0\0\0WAVE",
        b"II\x2a\0\x08\0\0\0",
        b"MM\0\x2a\0\0\0\0",
        b"\0\0\0\x18ftypisom",
        b"\0\0\0\x10ftypisom\0\0\0\0",
        b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm",
        b"OggS\0\x02",
        b"fLaC",
        b"ID3\x04\0\0\0\0\0\0",
        b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IEND", b""),
    ],
)
def test_beginnings_without_media(data):
    """A beginning alone is no file."""
    with pytest.raises(Malformed):
        clean(data)


def outcome(data):
    """Return what a file becomes, nothing if it is refused."""
    try:
        return cleaned(data)[1]
    except (Malformed, NotMedia):
        return b""
