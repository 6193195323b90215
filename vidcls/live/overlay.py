"""Results of a live stream -> a video, or a window on the screen, with label and score drawn into the frames."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import ConfigurationError, VidclsError
from vidcls.live.live import LiveResult
from vidcls.live.windows import LiveFrame
from vidcls.outputs import named_output
from vidcls.predict.overlay import draw_caption
from vidcls.video.captions import caption
from vidcls.video.writer import DEFAULT_FPS, write_video

QUEUED_FRAMES = 64
TITLE = "vidcls"
_ROUNDING_SECONDS = 1e-6
Picture = NDArray[np.uint8]


class OverlayFile:
    """A video of the windows that were scored, in their own time: of overlapping windows, each moment once.

    A frame that was dropped is replaced by the one before it, so that the video is as fast as the stream was; windows
    that were skipped, and gaps of the stream, are left out. It is encoded in a thread, and is complete when the block
    ends, however it ends.

    Args:
        path: the file to write.

    Raises:
        VidclsError: by any method, where it cannot be written; nothing half-written is left.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.Queue[Picture | None] = queue.Queue(maxsize=QUEUED_FRAMES)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._fps = DEFAULT_FPS
        self._next_seconds = 0.0  # of the stream: when the next frame of the file is shown
        self._shape: tuple[int, ...] = ()

    def __enter__(self) -> OverlayFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            with suppress(VidclsError):  # the error that brought us here is the one to tell
                self.finish()

    def add(self, result: LiveResult) -> None:
        """Draw the part of a window that no window before it has shown."""
        window = result.window
        if self._thread is None:
            self._fps, self._shape = window.fps or DEFAULT_FPS, window.frames[0].rgb.shape
            self._thread = threading.Thread(target=self._write, name="overlay", daemon=True)
            self._thread.start()
        self._next_seconds = max(self._next_seconds, window.start_seconds)
        place = 0
        while self._next_seconds < window.end_seconds - _ROUNDING_SECONDS:
            while (
                place + 1 < len(window.frames)
                and window.frames[place + 1].seconds <= self._next_seconds + _ROUNDING_SECONDS
            ):
                place += 1
            self._put(captioned(_of_shape(window.frames[place].rgb, self._shape), result.prediction.caption))
            self._next_seconds += 1 / self._fps

    def finish(self) -> None:
        """Complete the file."""
        if self._thread is None:
            return
        self._put(None)
        self._thread.join()
        self._thread = None
        self._raise()

    def _put(self, picture: Picture | None) -> None:
        while self._thread is not None and self._thread.is_alive():
            with suppress(queue.Full):
                self._queue.put(picture, timeout=0.2)
                return
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            self._thread = None
            with named_output(self.path, option="--overlay"):
                raise error

    def _write(self) -> None:
        try:
            write_video(self.path, _taken(self._queue), fps=self._fps)
        except BaseException as error:  # noqa: BLE001 - nobody sees it in a thread: who adds frames raises it
            self._error = error


class OverlayWindow:
    """A window on the screen with the newest frame and the newest label; ``q`` or closing it ends the command.

    Args:
        newest_frame: of the stream.

    Raises:
        ConfigurationError: OpenCV has no windows here.
    """

    def __init__(self, newest_frame: Callable[[], LiveFrame | None]) -> None:
        self._newest_frame = newest_frame
        self._caption = "..."
        self._is_shown = False

    def add(self, result: LiveResult) -> None:
        """Draw this label from now on."""
        self._caption = f"{result.prediction.caption}  ({result.lag_seconds:.1f} s)"

    def show(self) -> bool:
        """Show the newest frame; whether the user wants to end."""
        import cv2

        frame = self._newest_frame()
        try:
            if frame is not None:
                cv2.imshow(TITLE, cv2.cvtColor(captioned(frame.rgb, self._caption), cv2.COLOR_RGB2BGR))
                self._is_shown = True
            key = cv2.waitKey(1) & 0xFF if self._is_shown else 0
            return key == ord("q") or (self._is_shown and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1)
        except cv2.error as error:
            raise ConfigurationError(
                "--overlay window: this OpenCV shows no windows; pass a file, or install opencv-python in place of "
                "opencv-python-headless"
            ) from error


def captioned(rgb: Picture, text: str) -> Picture:
    """A frame ``(H, W, 3)`` uint8 with the text over its upper edge."""
    frame = np.moveaxis(rgb, -1, 0)  # (3, H, W)
    drawn = draw_caption(frame[None], caption(text, frame.shape[1], frame.shape[2]))[0]
    return np.ascontiguousarray(np.moveaxis(drawn, 0, -1))


def _of_shape(rgb: Picture, shape: tuple[int, ...]) -> Picture:
    """The frame at the size of the first one of the file, which a stream may leave."""
    if rgb.shape == shape:
        return rgb
    import cv2

    resized: Picture = np.asarray(cv2.resize(rgb, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return resized


def _taken(pictures: queue.Queue[Picture | None]) -> Iterator[Picture]:
    """The frames ``(3, H, W)`` as they are put in, until None."""
    while (picture := pictures.get()) is not None:
        yield np.moveaxis(picture, -1, 0)
