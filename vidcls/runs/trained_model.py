"""What a user calls a trained model (``best``, ``last``, ``runs/NAME``, a run, a file) -> its run, its checkpoint.

::

    best                    the best checkpoint of the newest training below runs/
    last                    its last one
    runs, runs/NAME         the best checkpoint of the newest training in that folder
    runs/NAME/TIME          the folder of a run: its best checkpoint
    a file                  that checkpoint
    hf://USER/NAME          the best checkpoint of a repository of the Hugging Face Hub

The newest training is the one that started last, whether it has such a checkpoint or not: an older one is never meant.
Where there was a choice, the log says what was taken.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import get_args

from vidcls.errors import CheckpointError, RemoteError
from vidcls.hub_repository import fetched, repository_at
from vidcls.packed_file import why_packed
from vidcls.remote import kept_copy, place_of
from vidcls.runs.folder import (
    BEST,
    CHECKPOINTS,
    CONFIG_FILE,
    DEFAULT_ROOT,
    LAST,
    METRICS_FILE,
    PULLED,
    SUMMARY_FILE,
    TIME_FORMAT,
    TRAINED,
    CheckpointName,
    checkpoint_in,
)
from vidcls.runs.missing_checkpoint import STOPPED, why_missing
from vidcls.spelling import closest

POSSIBLE = "best, last, runs/NAME, the folder of a run or a checkpoint file"
_log = logging.getLogger(__name__)


def checkpoint_of(
    wanted: str | PathLike[str],
    *,
    root: Path = DEFAULT_ROOT,
    name: str | None = None,
    run: Path | None = None,
    of_folder: CheckpointName = BEST,
    option: str = "",
) -> Path:
    """The checkpoint file that is meant.

    Args:
        wanted: see above.
        root: the folder of all runs.
        name: for ``best`` and ``last``: the name of the runs to look among; None looks among all.
        run: for ``best`` and ``last``: the one run to look in, in place of the newest.
        of_folder: which checkpoint a folder means.
        option: where it was given, for messages.

    Raises:
        CheckpointError: there is none.
    """
    text = f"{option} {wanted}".lstrip()
    if wanted in get_args(CheckpointName):
        having = BEST if wanted == BEST else LAST
        folder = newest_run(root, name, having=having) if run is None else run
        return _checkpoint_in(folder, having)
    place = place_of(wanted)
    if not isinstance(place, Path):
        repository = repository_at(str(wanted))
        if repository is not None:
            return _checkpoint_in(fetched(repository, PULLED), of_folder)
        try:
            return kept_copy(place)
        except RemoteError as error:
            raise CheckpointError(f"{option} {error}".lstrip()) from error
    path = place
    if path.is_file():
        return path
    if not path.is_dir():
        close = closest(path.name, (folder.name for folder in _folders_in(root))) if path.name == str(wanted) else None
        hint = f"did you mean {(root / close).as_posix()}? pass" if close else "pass"
        raise CheckpointError(f"{text}: no such file or folder: {hint} {POSSIBLE}")
    if path.name == CHECKPOINTS and is_run(path.parent):
        path = path.parent
    return _checkpoint_in(run_in(path, having=of_folder), of_folder)


def run_in(folder: str | PathLike[str], *, having: CheckpointName | None = None) -> Path:
    """The folder of the run that is meant: the folder itself, or the newest training in it.

    Args:
        folder: of a run, of the runs of one name, or of all runs.
        having: the checkpoint that it must have; None where none is needed.

    Raises:
        CheckpointError: no training wrote to the folder or to one in it, or the newest has no such checkpoint.
    """
    path = Path(folder)
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such folder: pass {POSSIBLE}")
    return path if is_run(path) else _newest(path, list(_trained_below(path)), having)


def run_named(wanted: str | PathLike[str], *, root: Path = DEFAULT_ROOT) -> Path:
    """The folder of the run that is meant by what names a trained model, or a folder itself.

    Raises:
        CheckpointError: there is none, or a checkpoint lies in no run.
    """
    if wanted in get_args(CheckpointName):
        return newest_run(root, None)
    path = Path(wanted)
    if path.is_file():
        if (packed := why_packed(path)) is not None:
            raise CheckpointError(f"{path}: {packed}")
        found = run_of(path)
        if found is None:
            raise CheckpointError(f"{path}: lies in no folder of a run, which says what it was trained on: pass one")
        return found
    return run_in(path)


def is_run(folder: Path) -> bool:
    """Whether a training or a test wrote to this folder."""
    return any((folder / part).exists() for part in (CONFIG_FILE, SUMMARY_FILE, *TRAINED))


def holds_runs(folder: Path) -> bool:
    """Whether a folder is one of runs, and no run itself."""
    return folder.is_dir() and not is_run(folder) and any(True for _ in _trained_below(folder))


def newest_run(root: Path, name: str | None, *, having: CheckpointName | None = None) -> Path:
    """The newest training of that name, or of any where it is None.

    Args:
        root: the folder of all runs.
        name: of the runs to look among.
        having: the checkpoint that it must have; None where none is needed.

    Raises:
        CheckpointError: there is none, or the newest has no such checkpoint: an older one is never meant.
    """
    found = _trained_below(root) if name is None else _trained_in(root / name)
    return _newest(root / (name or ""), list(found), having)


def run_of(checkpoint: Path) -> Path | None:
    """The folder of the run that a checkpoint lies in; None where it lies elsewhere."""
    folder = checkpoint.resolve().parent.parent
    if checkpoint.resolve().parent.name == CHECKPOINTS and (folder / CONFIG_FILE).is_file():
        return folder
    return None


def _newest(place: Path, trained: list[Path], having: CheckpointName | None) -> Path:
    what = f"has a checkpoint {having}.ckpt" if having else "was trained"
    if not trained:
        raise CheckpointError(
            f"{place}: no run here {what}: train first (vidcls fit), or pass the folder of a run or a checkpoint file"
        )
    newest = max(trained, key=_started)
    if having and not checkpoint_in(newest, having).is_file():
        others = [run for run in trained if checkpoint_in(run, having).is_file()]
        hint = f"{max(others, key=_started).as_posix()}, the newest that has one" if others else POSSIBLE
        raise CheckpointError(
            f"{newest}: the newest run here has no checkpoint {having}.ckpt: {why_missing(newest)}; pass {hint}"
        )
    _log.info("vidcls: using %s, the newest training in %s", newest, place)
    return newest


def _checkpoint_in(run: Path, having: CheckpointName) -> Path:
    checkpoint = checkpoint_in(run, having)
    if not checkpoint.is_file():
        if _was_trained(run):
            why = why_missing(run)
            hint = "train again" if why == STOPPED else f"pass {POSSIBLE}"
            nothing = ", so that there is nothing to continue or use" if why == STOPPED else ""
            raise CheckpointError(f"{run}: this run has no checkpoint {having}.ckpt: {why}{nothing}: {hint}")
        raise CheckpointError(f"{checkpoint}: no such checkpoint: is {run} the folder of a run? pass {POSSIBLE}")
    return checkpoint


def _trained_below(root: Path) -> Iterator[Path]:
    """The runs in a folder, and those in the folders in it."""
    yield from _trained_in(root)
    for folder in _folders_in(root):
        if not _was_trained(folder):
            yield from _trained_in(folder)


def _trained_in(folder: Path) -> Iterator[Path]:
    return (run for run in _folders_in(folder) if _was_trained(run))


def _folders_in(folder: Path) -> Iterator[Path]:
    return folder.glob("*/")


def _was_trained(folder: Path) -> bool:
    return any((folder / part).exists() for part in TRAINED)


def _started(run: Path) -> tuple[datetime, str]:
    """When a training started: its folder is called so, or else its log was written then."""
    try:
        return datetime.strptime(run.name[: len("2000-01-01_00-00-00")], TIME_FORMAT), run.name
    except ValueError:
        files = [run / name for name in (CONFIG_FILE, METRICS_FILE)]
        written = min((file.stat().st_mtime for file in files if file.is_file()), default=run.stat().st_mtime)
        return datetime.fromtimestamp(written), run.name
