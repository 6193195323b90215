"""A video file -> what is wrong with it: all of it is decoded, some frames at a time."""

from __future__ import annotations

import hashlib
import math
import os
import time
import warnings
from bisect import bisect_right
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from torch import Tensor

from vidcls.errors import DecodeError, UnreachableError
from vidcls.video.container_facts import container_facts
from vidcls.video.fault import Fault
from vidcls.video.packets import list_packets
from vidcls.video.picture_hash import PictureHashes
from vidcls.video.picture_statistics import PictureStatistics
from vidcls.video.reader import Backend, Video, open_video
from vidcls.video.remote_file import RemoteFile
from vidcls.video.source import AnyVideo, FramesInMemory, LocalFile, VideoSource, source_of

CHUNK_BYTES = 64 * 2**20  # of frames in memory at a time
SHARE_FOR_END = 0.5  # of the time for reading, on top of it: for the last frames of a video that is too long


@dataclass(frozen=True, slots=True)
class Health:
    """One video file, as far as it can be read.

    Args:
        fault: why a training could not use it; empty where every frame can be had. ``damaged`` files give the frames
            before the damage; ``crash`` and ``hang`` are for the process that decodes.
        reason: of the fault, in one line, without the path.
        num_bytes: size of the file.
        digest: of all its bytes.
        content_digest: of every fourth pixel of all frames: equal for copies in another container. Empty where some
            were not read, as ``is_black`` and ``is_frozen`` are False then.
        num_promised: frames that the header states.
        num_frames: frames that the packets of the file announce, which is what clips are drawn from.
        num_readable: frames from the first on that can be decoded.
        num_unread: frames that were passed over, since the video is too long for the time allowed.
        fps: frames per second, 0 where unknown.
        height_px: upright.
        width_px: upright.
        codec: of the video stream.
        container: FFmpeg's name of the format.
        stream_kinds: such as ``audio`` and ``video``.
        rotation: degrees of the rotation tag.
        decoder: the one that read it.
        is_variable_rate: the times between frames differ.
        is_black: no part of any frame is brighter than black.
        is_frozen: several frames, all of them the same picture but for noise.
        picture_hashes: of some frames that were read, see :class:`vidcls.video.picture_hash.PictureHashes`.
    """

    fault: Fault = ""
    reason: str = ""
    num_bytes: int = 0
    digest: str = ""
    content_digest: str = ""
    num_promised: int = 0
    num_frames: int = 0
    num_readable: int = 0
    num_unread: int = 0
    fps: float = 0.0
    height_px: int = 0
    width_px: int = 0
    codec: str = ""
    container: str = ""
    stream_kinds: tuple[str, ...] = ()
    rotation: int = 0
    decoder: str = ""
    is_variable_rate: bool = False
    is_black: bool = False
    is_frozen: bool = False
    picture_hashes: str = ""

    @property
    def is_cut_off(self) -> bool:
        """The file holds fewer frames than its header states."""
        return self.num_frames < self.num_promised


def missing(source: VideoSource) -> Health:
    """What is said of a video that is not there."""
    if isinstance(source, LocalFile):
        try:
            os.stat(source.path)  # noqa: PTH116 - opening a pipe would wait for its writer
        except OSError as error:
            return Health("missing", error.strerror or str(error))
        return Health("missing", "is no regular file")
    return Health("missing", "there is no such video")


def examine(video: AnyVideo, *, decoder: Backend | None = None, most_seconds: float = float("inf")) -> Health:
    """Read a whole video; what is wrong with it is in the result, and nothing of that is raised.

    A disk that cannot keep a video of a server is an ``OSError``, since it says nothing of the video.

    Args:
        video: as for :func:`vidcls.open_video`.
        decoder: the one to use; None tries them in turn, as a training does.
        most_seconds: of a video whose decoding takes longer, only the last frames are read after so many seconds, where
            they can be had within half of that.
    """
    source = source_of(video)
    try:
        stamp = source.stamp()
    except UnreachableError as error:
        return Health("unreachable", _without_name(error, source))
    if stamp is None:
        return missing(source)
    num_bytes, _ = stamp
    if isinstance(source, FramesInMemory):
        return _decoded(source, Health(num_bytes=num_bytes), decoder, 0, math.inf)
    if num_bytes == 0:
        return Health("empty", "the file is empty")
    health = Health(num_bytes=num_bytes)
    try:
        with source.local_file() as path:
            try:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
            except OSError as error:
                if isinstance(source, RemoteFile):
                    raise  # the disk of the cache, which says nothing of the video
                return replace(health, fault="undecodable", reason=error.strerror or str(error))
            return _examined(path, replace(health, digest=digest), decoder, most_seconds)
    except UnreachableError as error:
        return replace(health, fault="unreachable", reason=_without_name(error, source))
    except DecodeError as error:
        return replace(health, fault="undecodable", reason=str(error))


def _without_name(error: DecodeError, source: VideoSource) -> str:
    return str(error).removeprefix(f"{source.name}: ")


def _examined(path: Path, health: Health, decoder: Backend | None, most_seconds: float) -> Health:
    try:
        facts = container_facts(path)
    except DecodeError as error:
        return replace(health, fault="undecodable", reason=str(error))
    health = replace(
        health,
        container=facts.container,
        stream_kinds=facts.stream_kinds,
        rotation=facts.rotation,
        is_variable_rate=facts.is_variable_rate,
    )
    if "video" not in facts.stream_kinds:
        found = (
            f"no video stream, only {' and '.join(facts.stream_kinds)}" if facts.stream_kinds else "no stream at all"
        )
        return replace(health, fault="no video", reason=f"there is {found}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that another decoder took over stands in the result
        return _decoded(path, health, decoder, facts.num_missing, most_seconds)


def decoder_versions() -> dict[str, str]:
    """The installed decoders: what one of them refuses, another version may read."""
    found = {}
    for name in ("av", "decord2", "torchcodec"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # torchcodec is an extra
    return found


def _decoded(
    path: Path | FramesInMemory, health: Health, decoder: Backend | None, num_missing: int, most_seconds: float
) -> Health:
    try:
        with open_video(path, decoder) as video:
            health = replace(
                health, num_frames=video.num_frames, num_promised=video.num_frames + num_missing, fps=video.fps
            )
            try:
                info = video.info
            except DecodeError as error:
                return replace(health, fault="undecodable", reason=_reason(error, path))
            health = replace(health, height_px=info.height_px, width_px=info.width_px, codec=info.codec)
            return replace(_whole(video, health, path, most_seconds), decoder=video.backend)
    except DecodeError as error:
        return replace(health, fault="undecodable", reason=_reason(error, path))


def _whole(video: Video, health: Health, path: Path | FramesInMemory, most_seconds: float) -> Health:
    """With every frame decoded, or those that the time allows.

    What is said of all frames of a video, such as that they are black, is left open where some were passed over.
    """
    chunk_len = max(1, CHUNK_BYTES // (3 * health.height_px * health.width_px))
    pictures, hashes = PictureStatistics(), PictureHashes(video.num_frames)

    def note(first: int, frames: Tensor) -> None:
        pictures.add(frames)
        hashes.add(first, frames)

    num_unread = 0
    started = time.monotonic()
    for first in range(0, video.num_frames, chunk_len):
        indices = range(first, min(first + chunk_len, video.num_frames))
        seconds = time.monotonic() - started
        if first > 0 and seconds > most_seconds:
            affordable = max(2 * chunk_len, pictures.num_frames / seconds * SHARE_FOR_END * most_seconds)
            if indices.stop < video.num_frames or _frames_to(indices, path) > affordable:
                num_unread += len(indices)
                continue
        try:
            note(first, video.frames(indices))
        except DecodeError:
            for index in indices:  # which of them it is
                try:
                    note(index, video.frames([index]))
                except DecodeError as error:
                    reason = f"frame {index} cannot be decoded: {_reason(error, path)}"
                    found = replace(health, fault="damaged", reason=reason)
                    return replace(found, num_readable=index - num_unread, num_unread=num_unread)
    num_readable = video.num_frames - num_unread
    found = replace(health, num_readable=num_readable, num_unread=num_unread, picture_hashes=hashes.text)
    if num_unread:
        return found
    return replace(found, content_digest=pictures.digest, is_black=pictures.is_black, is_frozen=pictures.is_frozen)


def _frames_to(indices: range, path: Path | FramesInMemory) -> int:
    """How many frames have to be decoded for these, from the key frame before them on."""
    if isinstance(path, FramesInMemory):
        return 0
    try:
        key_frames = list_packets(path).key_frames
    except DecodeError:  # a copy of JPEG pictures, of which each stands alone, has a list of its own
        return len(indices)
    return indices.stop - key_frames[bisect_right(key_frames, indices.start) - 1]


def _reason(error: DecodeError, path: Path | FramesInMemory) -> str:
    """The reasons of the decoders without the path, which stands beside them."""
    return error.reason.removeprefix(f"{path}: ")
