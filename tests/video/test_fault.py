from __future__ import annotations

import pytest

from vidcls.video.fault import VideoFault, crash_of, hang_of


@pytest.mark.parametrize(
    ("status", "how"),
    [(-11, "signal SIGSEGV"), (3, "exit status 3"), (-1000, "exit status -1000"), (None, "exit status None")],
)
def test_a_crash_says_how_the_process_ended(status: int | None, how: str) -> None:
    assert crash_of(status) == VideoFault("crash", f"the process that read it ended by {how}")


def test_a_hang_says_how_long_was_waited_where_that_is_known() -> None:
    assert hang_of(1.5).reason == "it was not read within 1.5 seconds, and its process was ended"
    assert hang_of(None).reason == "it was not read in the time allowed, and its process was ended"
