"""One training, one folder: ``runs/<name>/<time>/`` and what is found in it again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from vidcls.errors import CheckpointError, ConfigurationError

DEFAULT_ROOT = Path("runs")
CONFIG_FILE = "config.yaml"
CHECKPOINTS = "checkpoints"
KEYWORDS = ("best", "last")


def new_run(root: Path, name: str) -> Path:
    """The path of a folder for a run that starts now; two runs of one second get different ones. Makes it."""
    started = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(1, 1000):
        folder = root / name / (started if number == 1 else f"{started}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigurationError(
                f"{folder}: the run folder cannot be made ({error.strerror}): choose another "
                "with --trainer.default_root_dir"
            ) from error
        return folder
    raise AssertionError("a thousand runs in one second")


def newest_run(root: Path, name: str | None, *, having: str) -> Path:
    """The newest run of that name, or of any where it is None, whose folder has the checkpoint ``having``.

    Raises:
        CheckpointError: there is none.
    """
    found = root.glob(f"{name or '*'}/*/{CHECKPOINTS}/{having}.ckpt")
    runs = sorted(found, key=lambda file: file.parent.parent.name)
    if not runs:
        raise CheckpointError(
            f"{root / name if name else root}: no run here has a checkpoint {having}.ckpt: train first (vidcls fit), or give --run DIR "
            "or --ckpt_path FILE"
        )
    return runs[-1].parent.parent


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
