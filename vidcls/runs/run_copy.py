"""A run folder -> a copy of it elsewhere, such as in a bucket, from which another machine goes on.

::

    runs/mine/config.yaml               s3://bucket/runs/mine/config.yaml
    runs/mine/checkpoints/last.ckpt     s3://bucket/runs/mine/checkpoints/last.ckpt     each whole, or as it was before
    runs/mine/.lock, wandb/             (stay here: W&B keeps its own copy)
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from vidcls.errors import CheckpointError
from vidcls.remote import local_copy
from vidcls.remote.places import Place
from vidcls.remote.transfer import upload
from vidcls.remote.whole_files import files_below, is_file
from vidcls.runs.folder import CHECKPOINTS, CONFIG_FILE

_NOT_COPIED = ("wandb",)
Stamp = tuple[int, int]
"""Date of a file in nanoseconds, and its size."""


class RunCopy:
    """Sends what has changed in a run folder since it was last sent.

    Args:
        run: the run folder.
        place: where the copy lies: a folder or an address.
    """

    def __init__(self, run: Path, place: Place) -> None:
        self.run = run
        self.place = place
        self._sent: dict[str, Stamp] = {}

    def stamps(self, folder: str) -> dict[str, Stamp | None]:
        """Date and size of the files in a folder of the run, by name."""
        return {name: self._stamp(name) for name in self._files(folder)}

    def changed(self) -> list[str]:
        """Names of files that are not in the copy as they are now; those of settings come first, then checkpoints."""
        found = [name for name in self._files("") if self._sent.get(name) != self._stamp(name)]
        return sorted(found, key=lambda name: (name != CONFIG_FILE, not name.startswith(CHECKPOINTS), name))

    def send(self) -> int:
        """Send those; returns how many there were.

        Raises:
            RemoteError: the place cannot be written to; what was sent counts, and the next call goes on.
            OSError: likewise, of a folder.
        """
        names = self.changed()
        for name in names:
            stamp = self._stamp(name)
            if stamp is not None:
                upload(self.run / name, self.place / name)
                self._sent[name] = stamp
        return len(names)

    def _files(self, folder: str) -> list[str]:
        paths = (path.relative_to(self.run) for path in (self.run / folder).rglob("*") if path.is_file())
        return [
            path.as_posix()
            for path in paths
            if path.parts[0] not in _NOT_COPIED and not any(part.startswith(".") for part in path.parts)
        ]

    def _stamp(self, name: str) -> Stamp | None:
        try:
            found = (self.run / name).stat()
        except FileNotFoundError:  # it was replaced this moment
            return None
        return found.st_mtime_ns, found.st_size


def fetch_run(place: Place, folder: Path) -> int:
    """Bring a run back from its copy into a new folder, which gets its name when it is whole.

    Returns:
        how many files there are.

    Raises:
        CheckpointError: there is no run at the place.
        RemoteError: it cannot be read.
    """
    if not is_file(place / CONFIG_FILE):
        raise CheckpointError(f"{place}: no run was copied there: it has no {CONFIG_FILE}; check the address")
    names = list(files_below(place))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as fetching:
        for name in names:
            target = Path(fetching) / "run" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with local_copy(place / name) as local:
                shutil.copyfile(local, target)
        (Path(fetching) / "run").rename(folder)
    return len(names)
