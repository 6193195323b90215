"""What stands behind ``--source`` -> where live frames come from: a camera, an address, or a file that is played."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidcls.errors import DatasetError
from vidcls.remote import is_address
from vidcls.remote.live_addresses import check_stream, shown_stream


@dataclass(frozen=True, slots=True)
class LivePlace:
    """Where live frames come from.

    Args:
        kind: a camera of this machine, an address, or a file that is played at its own rate.
        target: the number of the camera, the address, or the path.
        name: what messages and files call it: without a password.
    """

    kind: Literal["camera", "address", "file"]
    target: str
    name: str

    @property
    def is_endless(self) -> bool:
        """Whether it is expected to go on, so that its end is a fault; a file has an end."""
        return self.kind != "file"


def live_place(source: str) -> LivePlace:
    """The camera of this number, the stream at this address, or the file.

    Raises:
        DatasetError: there is no such file, or it is a folder.
        ConfigurationError: an address that is not read live, or was not allowed.
    """
    path = Path(source).expanduser()
    if is_address(source) and not path.exists():
        address = check_stream(source)
        return LivePlace("address", address, shown_stream(address))
    if source.isdecimal() and not path.exists():
        return LivePlace("camera", str(int(source)), f"camera {int(source)}")
    if path.is_dir():
        raise DatasetError(f"--source {source}: is a folder; pass one video, the number of a camera or an address")
    if not path.exists():
        raise DatasetError(
            f"--source {source}: no such file; expected a file, the number of a camera (0) or an address such as "
            "rtsp://HOST/PATH"
        )
    return LivePlace("file", str(path), str(path))
