"""One tree of errors that the world can cause; every one reaches the user as a single line and exit status 2."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMES = 12  # in one message


def first_line(error: BaseException) -> str:
    """What an error says in its first line, or what it is called where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()


class VidclsError(Exception):
    """Something outside the program is wrong: a file, a data set, a checkpoint, a missing package.

    The message is one line that says what was expected, what was found, where, and what to do.
    Wrong arguments to a function raise ``ValueError`` instead.
    """


class DecodeError(VidclsError):
    """A video could not be opened or its frames could not be read; the message names the file and each reason.

    Args:
        message: as a user reads it.
        reason: the part of it that is neither the name of the video nor what to do; default: all of it.
    """

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = message if reason is None else reason


class UnreachableError(DecodeError):
    """A video at an address could not be read from its server, which says nothing of the video."""


class NotAVideoError(DecodeError):
    """A file that no decoder is to read: a playlist that names other files, an image, audio with a cover picture."""


class DatasetError(VidclsError):
    """A data set contradicts itself or its files; the message names the file and, where there is one, the line."""


class MissingDataError(DatasetError):
    """The folder or the list of a data set does not exist, as where the videos of a run have moved."""


class FlowError(VidclsError):
    """Optical flow is missing, unreadable, or was made with other settings or from another video."""


class MissingFlowError(FlowError):
    """A store has no flow of one video, as where the precomputation could not read it; the message names the video."""


class FeatureError(VidclsError):
    """Features of videos are missing, unreadable, or were computed with another network, settings or video."""


class MissingFeaturesError(FeatureError):
    """A store has no features of one video; the message names the video."""


class RemoteError(VidclsError):
    """An object at an address cannot be read or written; the message names it and says what to do.

    Args:
        message: as a user reads it.
        is_missing: there is no such object.
        is_denied: it may be there, but may not be asked for.
    """

    def __init__(self, message: str, *, is_missing: bool = False, is_denied: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing
        self.is_denied = is_denied


class SourceError(VidclsError):
    """The video that something is, or was, made from cannot be read; the message names its file."""


class LoaderError(VidclsError):
    """Processes that load videos died, and no video can be named."""


class CheckpointError(VidclsError):
    """A checkpoint is missing, of another kind, unsafe to load, or contradicts what was asked of it."""


class EnsembleFileError(CheckpointError):
    """A checkpoint holds several networks that answer together, where one network was asked for."""


class ExportError(VidclsError):
    """A network cannot be exported, or the exported file does not answer like it; the message says what to do."""


class DivergedError(VidclsError):
    """A training has left the finite numbers; the message says at which step, and what to try."""


class ConfigurationError(VidclsError):
    """Settings that are each allowed but contradict each other or the data."""


class FolderInUseError(VidclsError):
    """Another process is writing to the folder; the message names the process, its host and its command."""


class MissingExtraError(VidclsError):
    """An optional package or system library is not installed; the message gives the command that installs it."""


def listed(names: Sequence[str], *, start: int = 0) -> str:
    """Names for a message of one line: all of a few, or twelve from number ``start`` on and how many there are."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    start = min(start, len(names) - 1)
    where = f", from number {start} on" if start else ""
    return f"{', '.join(names[start : start + MOST_NAMES])}, ... ({len(names)} in all{where})"


def unlike(names: Sequence[str], others: Sequence[str]) -> tuple[str, str]:
    """Two lists of names that differ, each for a message of one line; long ones from the first difference on."""
    same = [name == other for name, other in zip(names, others, strict=False)]
    start = same.index(False) if False in same else len(same)
    texts = [listed([repr(name) for name in some], start=start) for some in (names, others)]
    return f"[{texts[0]}]", f"[{texts[1]}]"
