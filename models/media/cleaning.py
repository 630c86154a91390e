"""Which kind of file it is, and the module that knows it."""

from collections.abc import Callable

from models.media import bmff, bmp, flac, gif, jpeg, matroska, mpeg, ogg, png, riff, tiff
from models.media.source import Buffer, Cleaned, NotMedia, Source


def clean(data: Buffer) -> Cleaned:
    """Return a media file without personal metadata.

    The type is judged by the content: tracks decide between sound and video. What was encoded
    stays as it was, and so does the orientation.

    Raises:
        NotMedia: no accepted kind of file begins so.
        Malformed: it is cut short, or not what its beginning says.
    """
    source = Source(data)
    return _reader(source)(source)


def _reader(source: Source) -> Callable[[Source], Cleaned]:
    head = source.data[:64]
    for start, read in (
        (jpeg.START, jpeg.clean),
        (png.START, png.clean),
        (matroska.START, matroska.clean),
        (flac.START, flac.clean),
        (ogg.START, ogg.clean),
        *((start, gif.clean) for start in gif.STARTS),
        *((start, tiff.clean) for start in tiff.STARTS),
    ):
        if head.startswith(start):
            return read
    if head[4:8] == bmff.KIND:
        return bmff.clean
    if head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"WAVE"):
        return riff.clean_webp if head[8:12] == b"WEBP" else riff.clean_wave
    if bmp.is_bmp(head):
        return bmp.clean
    if head[:3] == b"ID3":
        at = mpeg.behind_id3(source)
        return flac.clean if source.data[at : at + 4] == flac.START else mpeg.clean
    if mpeg.sound_at(source, 0):
        return mpeg.clean
    raise NotMedia("no accepted kind of file begins so")
