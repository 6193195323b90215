"""One training, one folder: ``runs/<name>/<time>/`` and what is found in it again."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from vidcls.errors import CheckpointError, ConfigurationError

DEFAULT_ROOT = Path("runs")
CONFIG_FILE = "config.yaml"
CHECKPOINTS = "checkpoints"
TRAINED = (CHECKPOINTS, "metrics.csv")  # one of these is in every folder that a training wrote to
KEYWORDS = ("best", "last")


def check_name(name: str) -> None:
    """Refuse a name that would lead out of the folder of all runs, or mean several of them."""
    if not re.fullmatch(r"[\w.+-][\w .+-]*", name) or set(name) <= {"."}:
        raise ConfigurationError(f"--name {name!r} names a folder: letters, digits, '.', '_', '+' and '-' are allowed")


def new_run(root: Path, name: str) -> Path:
    """The path of a folder for a run that starts now; two runs of one second get different ones. Makes it."""
    started = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(1, 1000):
        folder = root / name / (started if number == 1 else f"{started}_{number}")
        try:
            make_folder(folder, exist_ok=False)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("a thousand runs in one second")


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Make a folder and those above it.

    Raises:
        ConfigurationError: it cannot be made.
        FileExistsError: it is there already, and that is not ``exist_ok``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and not exist_ok:
            raise
        raise ConfigurationError(
            f"{folder}: the run folder cannot be made ({error.strerror}): choose another with --run or "
            "--trainer.default_root_dir"
        ) from error


def newest_run(root: Path, name: str | None, *, having: str) -> Path:
    """The newest training of that name, or of any where it is None; its folder has the checkpoint ``having``.

    Raises:
        CheckpointError: there is none, or the newest has no such checkpoint: an older one is never meant.
    """
    found = root.glob(f"{name or '*'}/*/")
    trained = [folder for folder in found if any((folder / part).exists() for part in TRAINED)]
    if not trained:
        raise CheckpointError(
            f"{root / (name or '')}: no run here has a checkpoint {having}.ckpt: train first (vidcls fit), or "
            "give --run DIR or --ckpt_path FILE"
        )
    newest = max(trained, key=lambda folder: folder.name)
    if not (newest / CHECKPOINTS / f"{having}.ckpt").is_file():
        raise CheckpointError(
            f"{newest}: the newest run here has no checkpoint {having}.ckpt: name another with --run DIR"
        )
    return newest


def find_checkpoint(wanted: str, *, root: Path, name: str | None, run: Path | None) -> Path:
    """The file that ``best``, ``last`` or a path means.

    Args:
        wanted: ``best``, ``last`` or the path of a file.
        root: the folder of all runs.
        name: the name of the runs to look among; None looks among all.
        run: the one run to look in, in place of the newest of that name.
    """
    if wanted not in KEYWORDS:
        if not Path(wanted).is_file():
            raise CheckpointError(f"--ckpt_path {wanted}: no such file; give a file, best or last")
        return Path(wanted)
    if run is None:
        run = newest_run(root, name, having=wanted)
    checkpoint = run / CHECKPOINTS / f"{wanted}.ckpt"
    if not checkpoint.is_file():
        raise CheckpointError(f"{checkpoint}: no such checkpoint: is {run} the folder of a run?")
    return checkpoint


def run_of(checkpoint: Path) -> Path | None:
    """The folder of the run that a checkpoint lies in; None where it lies elsewhere."""
    folder = checkpoint.resolve().parent.parent
    if checkpoint.resolve().parent.name == CHECKPOINTS and (folder / CONFIG_FILE).is_file():
        return folder
    return None
