"""A video file -> FFmpeg's container of it, opened only where the file holds its own frames."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from vidcls.errors import DecodeError, MissingExtraError, NotAVideoError, first_line

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# FFmpeg's names of the formats that are opened. Each of them reads the file that was opened and no other; those that
# name further files (concat, hls, dash, imf, sdp, image2, vobsub, mlv, avisynth ...) are not among them. libavformat
# compares the name before it lets a format read, so that the other files are not touched.
_VIDEO_FORMATS = (
    "mov avi matroska webm mpeg mpegts flv live_flv kux asf asf_o ogg gif apng nut mxf gxf rm ivr wtv dv swf ivf "
    "obu av1 h261 h263 h264 hevc vvc evc m4v mpegvideo cavsvideo avs2 avs3 vc1 vc1test dirac dnxhd apv mjpeg "
    "mjpeg_2000 mpjpeg smjpeg ingenient jpeg_pipe yuv4mpegpipe cine ser r3d lxf lvf pva nsv nuv ty pmp mtv mv mxg "
    "nc ipmovie msnwctcp ifv iv8 lmlm4 mgsts 4xm bethsoftvid bfi bink bmv c93 cdxl dsicin dxa ea film_cpk "
    "filmstrip flic gdv hnm idcin ipu jv mm moflex paf rl2 roq rpl sga siff smk smush thp tiertexseq tmv usm vidc "
    "vividas vivo vmd wc3movie wsvqa xmv yop"
)
# Opened so that the message says what they are.
_OTHER_FORMATS = (
    "aac ac3 aiff amr ape au caf dts eac3 flac mlp mp3 tta truehd voc w64 wav wv xwma "
    "bmp_pipe dds_pipe exr_pipe gif_pipe j2k_pipe jpegls_pipe jpegxl_pipe pbm_pipe pcx_pipe pgm_pipe png_pipe ppm_pipe "
    "psd_pipe qoi_pipe sgi_pipe sunrast_pipe tiff_pipe webp_pipe"
)
FORMATS = ",".join(f"{_VIDEO_FORMATS} {_OTHER_FORMATS}".split())
"""What FFmpeg may open, as its ``format_whitelist`` has it."""
_OPEN_OPTIONS = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "file",
}

_HEAD_BYTES = 1024
PLAYLISTS = {  # how they begin; the other decoders have probes of their own, which may see them where PyAV does not
    b"ffconcat version": "a script that joins files (ffconcat)",
    b"#EXTM3U": "an HLS or M3U playlist",
    b"v=0": "a description of a network stream (SDP)",
    b"[playlist]": "a PLS playlist",
    b"<asx": "an ASX playlist",
    b"<smil": "a SMIL playlist",
    b"<MPD": "a DASH playlist",
    b"<?xml": "an XML file such as a DASH or IMF playlist",
}
_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"II*\0", b"MM\0*")


def open_container(path: Path, **options: str) -> InputContainer:
    """The open file, with every stream in it.

    Args:
        path: the file.
        options: of FFmpeg's format.

    Raises:
        NotAVideoError: it is of a kind that is not read, such as a playlist.
        DecodeError: it cannot be read; both say why, but not of which file.
    """
    av = import_av()
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError) as error:
        raise DecodeError(f"cannot be read ({error})") from error
    _refuse_playlists(head)
    try:
        container: InputContainer = av.open(
            file_name(path),
            container_options=_OPEN_OPTIONS | options,  # as `options` they crash older versions of PyAV
            metadata_errors="replace",  # titles may be in other encodings than UTF-8
        )
    except av.FFmpegError as error:
        if error.errno != errno.EINVAL:
            raise DecodeError(ffmpeg_reason(error)) from error
        if head.startswith(_IMAGES):
            raise NotAVideoError("is an image, not a video") from error
        raise NotAVideoError(
            "is in no video format that is read (playlists, scripts and image sequences name other files, and only "
            "files that hold their own frames are); convert it with ffmpeg -i FILE OUTPUT.mp4"
        ) from error
    return container


def open_best_stream(path: Path) -> tuple[InputContainer, VideoStream]:
    """The open file and the best of its video streams, to be decoded on one thread.

    Raises:
        NotAVideoError: there is no video stream; others as for ``open_container``.
        DecodeError: it has a codec that is not known.
    """
    container = open_container(path)
    try:
        stream = best_stream(container)
    except DecodeError:
        container.close()
        raise
    stream.codec_context.thread_count = 1
    return container, stream


def best_stream(container: InputContainer) -> VideoStream:
    """The video stream that every decoder takes.

    Raises:
        NotAVideoError: there is none; a cover image is not a video stream, and an image is not a video.
        DecodeError: it has a codec that is not known.
    """
    stream = cast("VideoStream | None", container.streams.best("video"))
    if stream is None:
        raise NotAVideoError("there is no video stream")
    if is_cover(stream):
        kinds = sorted({str(other.type) for other in container.streams if not is_cover(other)})
        raise NotAVideoError(f"there is no video stream, only {' and '.join(kinds) or 'nothing'} with a cover picture")
    if container.format.name.endswith("_pipe") and container.format.name != "jpeg_pipe":
        raise NotAVideoError(f"is an image ({container.format.name.removesuffix('_pipe')}), not a video")
    if stream.codec_context is None:
        raise DecodeError("the video stream has a codec that FFmpeg does not know")
    return stream


def is_cover(stream: object) -> bool:
    """Whether a stream is a picture attached to the file, such as the cover of a song."""
    return bool(getattr(stream, "disposition", 0) & import_av().stream.Disposition.attached_pic)


def file_name(path: Path) -> str:
    """The path as FFmpeg's decoders take it: absolute, so that none reads ``concat:a|b`` as more than a name."""
    return str(path.absolute())


def utf8_file_name(path: Path) -> str:
    """The same for decoders that take names in UTF-8 only.

    Raises:
        DecodeError: the name has bytes that are not UTF-8.
    """
    name = file_name(path)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise DecodeError("cannot open a file whose name is not UTF-8") from error
    return name


def import_av() -> ModuleType:
    """PyAV, imported when it is first needed.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except (ImportError, OSError) as error:
        raise MissingExtraError(f"PyAV cannot be imported ({error}); run: pip install av") from error
    return av


def ffmpeg_reason(error: Exception) -> str:
    """What FFmpeg says of an error, without its number and the file."""
    return re.sub(r"^\[Errno -?\d+\] |: '[^']*'$", "", first_line(error))


def _refuse_playlists(head: bytes) -> None:
    """Raise a DecodeError where the file begins as one that names other files."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginning, kind in PLAYLISTS.items():
        if start.startswith(beginning.lower()):
            raise NotAVideoError(
                f"is {kind}, which shows what other files hold; only files that hold their own frames are read: "
                "convert it with ffmpeg -i FILE OUTPUT.mp4"
            )
