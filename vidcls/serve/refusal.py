"""What went wrong with a request -> a status, a kind, and one line that says what to do."""

from __future__ import annotations

from vidcls.errors import CheckpointError, MissingExtraError, UnreachableError, VidclsError
from vidcls.files import FULL_DISK
from vidcls.video.fault import crash_of, hang_of

RETRY_SECONDS = 1


class Refusal(Exception):
    """The answer to a request that gets no scores; it can be pickled.

    Args:
        status: of HTTP.
        kind: a word for programs, such as ``too_large``.
        message: one line for people.
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(status, kind, message)
        self.status = status
        self.kind = kind
        self.message = message

    @property
    def content(self) -> dict[str, str]:
        """The JSON object of the answer."""
        return {"error": self.message, "kind": self.kind}

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer: when to try again, and how to log in."""
        if self.status == 503:
            return {"Retry-After": str(RETRY_SECONDS)}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}


def refusal_of(error: BaseException, name: str, path: str = "") -> Refusal:
    """Why a video got no answer: its job was refused, its process died or was ended, or the machine is short of room.

    Args:
        error: what the job ended with.
        name: what the client calls the video.
        path: of the file that it was kept in, which is nobody's business.
    """
    from pebble import ProcessExpired

    if isinstance(error, Refusal):
        return error
    if isinstance(error, ProcessExpired):
        return Refusal(422, "unreadable", f"{name}: {crash_of(error.exitcode).reason}; is it an intact video?")
    if isinstance(error, TimeoutError):
        seconds = next((part for part in error.args if isinstance(part, int | float)), None)
        return Refusal(422, "too_slow", f"{name}: {hang_of(seconds).reason}; send a shorter or smaller video")
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return Refusal(503, "disk_full", "the server has no room on its disk; try again later")
    message = " ".join(str(error).split())
    message = message.replace(path, name) if path else message
    if isinstance(error, CheckpointError | MissingExtraError):
        return Refusal(500, "model", message)
    if isinstance(error, UnreachableError):
        return Refusal(422, "unreachable", message)
    if isinstance(error, VidclsError | OSError | ValueError | MemoryError):
        return Refusal(422, "unreadable", message if message.startswith(name) else f"{name}: {message}")
    return Refusal(500, "internal", f"the server failed ({type(error).__name__}); its log says more")
