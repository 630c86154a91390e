"""Media as phones, browsers and programs make it, full of what is nobody's business.

Every text of metadata has `SECRET` in it. Built with Pillow (pictures), libheif and FFmpeg.
"""

import io
import struct
import zlib
from fractions import Fraction
from functools import cache

import av
import pillow_heif
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

SECRET = b"21.0285N-SecretPhone"
TEXT = SECRET.decode()
SIDE = 32
GPS, MAKE, MODEL, SOFTWARE, ORIENTATION, DESCRIPTION = 0x8825, 271, 272, 305, 274, 270
XMP = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><secret>{TEXT}</secret></x:xmpmeta>".encode()

pillow_heif.register_heif_opener()


def picture(seed=0, size=(SIDE * 2, SIDE), mode="RGB"):
    """Make a picture on which no two directions look the same."""
    made = Image.new("RGB", size)
    made.putdata(
        [
            ((x * 4 + seed) % 256, (y * 7 + seed) % 256, (x + y) * 2 % 256)
            for y in range(size[1])
            for x in range(size[0])
        ]
    )
    return made.convert(mode)


def exif(orientation=6):
    made = Image.Exif()
    made[MAKE] = made[MODEL] = made[SOFTWARE] = made[DESCRIPTION] = TEXT
    if orientation:
        made[ORIENTATION] = orientation
    gps = {1: "N", 2: (21.0, 1.0, 42.6), 3: "E", 4: (105.0, 48.0, 15.0), 29: TEXT}
    made.get_ifd(GPS).update(gps)
    return made


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@cache
def jpeg(orientation=6, **options):
    """A photo: Exif with a thumbnail's worth of data, XMP, Photoshop, comment, profile."""
    first = saved(
        picture(),
        "JPEG",
        exif=exif(orientation),
        comment=SECRET,
        xmp=XMP,
        icc_profile=profile(),
        quality=90,
        **options,
    )
    iptc = b"Photoshop 3.0\0" + SECRET
    gains = b"urn:iso:std:iso:ts:21496:-1\0" + SECRET
    jfxx = b"JFXX\0\x10" + SECRET
    return (
        first[:2]
        + b"".join(
            bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
            for marker, content in ((0xED, iptc), (0xE2, gains), (0xE0, jfxx), (0xE5, SECRET))
        )
        + first[2:]
    )


@cache
def mpo():
    """Two photos in one file, as dual cameras make them, each with Exif of its own."""
    return saved(
        picture(), "MPO", save_all=True, append_images=[picture(60)], exif=exif(), quality=90
    )


@cache
def png(orientation=6):
    info = PngInfo()
    info.add_text("Comment", TEXT)
    info.add_text("Software", TEXT, zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    made = saved(picture(), "PNG", exif=exif(orientation), pnginfo=info, icc_profile=profile())
    time = b"tIME" + struct.pack(">H5B", 2026, 1, 2, 3, 4, 5)
    private = b"seCr" + SECRET
    extra = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (time, private)
    )
    return made[:33] + extra + made[33:]


@cache
def apng():
    return saved(
        picture(), "PNG", save_all=True, append_images=[picture(50)], duration=100, exif=exif()
    )


@cache
def gif():
    made = saved(
        picture(mode="P"),
        "GIF",
        save_all=True,
        append_images=[picture(90, mode="P")],
        duration=100,
        loop=3,
        comment=SECRET,
    )
    # Adobe's trick: text that is no blocks, and a trailer on which every reader comes to the end.
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    xmp = b"\x21\xff\x0bXMP DataXMP" + XMP + trailer
    at = made.index(b"\x21\xf9")
    return made[:at] + xmp + made[at:]


@cache
def webp(lossless=False, animated=False):
    more = {"save_all": True, "append_images": [picture(70)], "duration": 90} if animated else {}
    return saved(
        picture(),
        "WEBP",
        lossless=lossless,
        exif=exif().tobytes(),
        xmp=XMP,
        icc_profile=profile(),
        **more,
    )


@cache
def tiff(compression="tiff_lzw", pages=1):
    more = (
        {"save_all": True, "append_images": [picture(n) for n in range(1, pages)]}
        if pages > 1
        else {}
    )
    return saved(
        picture(), "TIFF", compression=compression, exif=exif(), icc_profile=profile(), **more
    )


@cache
def bmp():
    return saved(picture(), "BMP")


@cache
def heic():
    image = pillow_heif.from_pillow(picture(size=(64, 64)))
    buffer = io.BytesIO()
    image.save(buffer, quality=80, exif=exif().tobytes(), xmp=XMP)
    return buffer.getvalue()


@cache
def heic_burst():
    """Two pictures in one file, each with Exif of its own."""
    buffer = io.BytesIO()
    made = pillow_heif.from_pillow(picture(size=(64, 64)))
    made.add_from_pillow(picture(40, size=(64, 64)))
    for n in range(2):
        made[n].info["exif"] = exif().tobytes()
        made[n].info["xmp"] = XMP
    made.save(buffer, quality=80)
    return buffer.getvalue()


@cache
def avif():
    return saved(picture(), "AVIF", exif=exif().tobytes(), xmp=XMP, icc_profile=profile())


METADATA = {
    "title": TEXT,
    "artist": TEXT,
    "comment": TEXT,
    "location": f"+21.0285+105.8542/{TEXT}",
    "make": TEXT,
    "model": TEXT,
    "com.apple.quicktime.location.ISO6709": f"+21.0285+105.8542/{TEXT}",
    "com.apple.quicktime.model": TEXT,
    "creation_time": "2026-01-02T03:04:05Z",
    "encoder": TEXT,
}


@cache
def av_file(container, video=None, audio=None, subtitles=False, **options):
    """Encode half a second; `options` are the muxer's."""
    buffer = io.BytesIO()
    options = {name: str(value) for name, value in options.items()}
    with av.open(buffer, "w", format=container, options=options) as output:
        output.metadata.update(METADATA)
        streams = []
        if video:
            stream = output.add_stream(video, rate=10)
            stream.width, stream.height = (176, 144) if video == "h263" else (SIDE * 2, SIDE)
            stream.pix_fmt = "yuv420p"
            stream.metadata.update(title=TEXT, handler_name=TEXT)
            frames = [
                av.VideoFrame.from_image(picture(n * 9, (stream.width, stream.height))).reformat(
                    format="yuv420p"
                )
                for n in range(5)
            ]
            streams.append((stream, frames))
        if audio:
            streams.append(_sound(output, audio))
        for stream, frames in streams:
            for n, frame in enumerate(frames):
                if isinstance(frame, av.VideoFrame):
                    frame.pts, frame.time_base = n, Fraction(1, 10)
                for packet in stream.encode(frame):
                    output.mux(packet)
            for packet in stream.encode(None):
                output.mux(packet)
    return buffer.getvalue()


def _sound(output, codec):
    rate = {"libopencore_amrnb": 8000, "libopus": 48000}.get(codec, 44100)
    layout = "stereo" if codec == "vorbis" else "mono"
    options = {"strict": "experimental"} if codec == "vorbis" else {}
    stream = output.add_stream(codec, rate=rate, layout=layout, options=options)
    if codec == "libopencore_amrnb":
        stream.bit_rate = 12200
    stream.metadata.update(title=TEXT, handler_name=TEXT, comment=TEXT)
    length = rate // 2
    samples = [((n * 440 * 2 // rate) % 2 * 2 - 1) * 8000 for n in range(length)]
    frame = av.AudioFrame(format="s16", layout="mono", samples=length)
    frame.planes[0].update(struct.pack(f"<{length}h", *samples))
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    context = stream.codec_context
    resampler = av.AudioResampler(
        format=context.format, layout=layout, rate=rate, frame_size=context.frame_size or 1024
    )
    return stream, [*resampler.resample(frame), *resampler.resample(None)]


def as_live(webm):
    """Make of a WebM what MediaRecorder sends: a segment and clusters of unknown length."""
    made = bytearray(webm)
    for name in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):
        at = made.find(name)
        while at >= 0:
            width = 9 - made[at + 4].bit_length()
            made[at + 4 : at + 4 + width] = ((1 << 7 * width + 1) - 1).to_bytes(width, "big")
            at = made.find(name, at + 4)
    return bytes(made)


def frames(data):
    """Decode everything: times, pictures and sound as bytes, by kind of stream."""
    found = {}
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode():
            content = frame.pts, [bytes(plane) for plane in frame.planes]
            found.setdefault(type(frame).__name__, []).append(content)
    return found


def shown(data):
    """Decode a picture as people see it: every page or frame, turned the way it says."""
    found = []
    with Image.open(io.BytesIO(data)) as image:
        for n in range(getattr(image, "n_frames", 1)):
            image.seek(n)
            found.append((ImageOps.exif_transpose(image).convert("RGB")).tobytes())
    return found
