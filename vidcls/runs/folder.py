"""One training, one folder ``runs/NAME/TIME/``: what its files are called.

::

    config.yaml                 the resolved configuration
    metrics.csv  curves.png     what was logged, by step
    run.json                    machine, versions and speed of each start
    layers.csv   layers.png     statistics of the layers, where they are watched
    lr_finder.png               the loss by learning rate, where it was looked for
    ensemble.json               the members and weights of a run of vidcls ensemble
    skipped.csv                 training videos that could not be read, where there are any
    validation.csv  .json       scores of the validation videos by the best weights
    probe.csv    probe.png      the heads that were tried for a probe, with their cross-validated scores
    checkpoints/best.ckpt       after the validation with the best value
    checkpoints/last.ckpt       to resume from
    test.json  test.csv         what a test found: the summary, and the scores of each video
    test_<stream>.csv           the scores of one stream of a model
    test_confusion.png  .csv    counts of labels and predictions
    test_left_out.csv           the scores of videos of classes that the network was not to know
    test_worst_confusions.csv   pairs of classes, the most frequent first
    tests/<data>/               the same files for a test on other data
    report.html                 the page of ``vidcls report``
    compare.json                what ``vidcls compare`` noted
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

from vidcls.errors import ConfigurationError

DEFAULT_ROOT = Path("runs")
CONFIG_FILE = "config.yaml"
METRICS_FILE = "metrics.csv"
CURVES_FILE = "curves.png"
RUN_FILE = "run.json"
SKIPPED_FILE = "skipped.csv"
VALIDATION_FILE = "validation.csv"
VALIDATION_FACTS_FILE = "validation.json"
PROBE_FILE = "probe.csv"
PROBE_FIGURE = "probe.png"
CHECKPOINTS = "checkpoints"
ENSEMBLE_FILE = "ensemble.json"
SUMMARY_FILE = "test.json"
SCORES_FILE = "test.csv"
LEFT_OUT_FILE = "test_left_out.csv"
CONFUSION_FIGURE = "test_confusion.png"
CONFUSION_PAIRS_FILE = "test_worst_confusions.csv"
OTHER_TESTS = "tests"
REPORT_FILE = "report.html"
COMPARISON_FILE = "compare.json"
LAYERS_FILE = "layers.csv"
LAYERS_FIGURE = "layers.png"
LR_FIGURE = "lr_finder.png"
TIME_FORMAT = "%Y-%m-%d_%H-%M-%S"  # what the folder of a run is called, by the second in which it starts

CheckpointName = Literal["best", "last"]
BEST: CheckpointName = "best"
LAST: CheckpointName = "last"
TRAINED = (CHECKPOINTS, METRICS_FILE)  # one of these is in every folder that a training wrote to
FIRST_FILES = (
    CONFIG_FILE,
    METRICS_FILE,
    SKIPPED_FILE,
    VALIDATION_FILE,
    VALIDATION_FACTS_FILE,
    PROBE_FILE,
    PROBE_FIGURE,
    LR_FIGURE,
)  # what a run has before its first checkpoint
HANDED_OVER = (
    *(CONFIG_FILE, METRICS_FILE, CURVES_FILE, RUN_FILE, SUMMARY_FILE, SCORES_FILE, CONFUSION_FIGURE),
    *(CONFUSION_PAIRS_FILE, REPORT_FILE),
)  # what is handed over to others beside the weights
SAFE_WEIGHTS = "model.safetensors"
CARD = "README.md"
PULLED = (f"{CHECKPOINTS}/*.ckpt", SAFE_WEIGHTS, CARD, *HANDED_OVER)  # of a repository, and nothing else that is in it


def checkpoint_name(stem: str) -> str:
    """``checkpoints/best.ckpt`` for ``best``: where it lies in the folder of its run."""
    return f"{CHECKPOINTS}/{stem}.ckpt"


def checkpoint_in(run: Path, stem: str) -> Path:
    """The file of a checkpoint of a run, such as its ``best``; it need not exist."""
    return run / checkpoint_name(stem)


def scores_name(stream: str | None = None) -> str:
    """``test.csv``, or ``test_<stream>.csv`` for one stream or fusion of the model."""
    return SCORES_FILE if stream is None else f"{Path(SCORES_FILE).stem}_{stream}.csv"


def log_name(command: str) -> str:
    """``fit.log``: what a command printed that ``vidcls compare`` ran."""
    return f"{command}.log"


def check_name(name: str) -> None:
    """Refuse a name that would lead out of the folder of all runs, or mean several of them."""
    if not re.fullmatch(r"[\w.+-][\w .+-]*", name) or set(name) <= {"."}:
        raise ConfigurationError(f"--name {name!r} names a folder: letters, digits, '.', '_', '+' and '-' are allowed")


def new_run(root: Path, name: str) -> Path:
    """The path of a folder for a run that starts now; two runs of one second get different ones. Makes it."""
    started = datetime.now().strftime(TIME_FORMAT)
    for number in range(1, 1000):
        folder = root / name / (started if number == 1 else f"{started}_{number}")
        try:
            make_folder(folder, exist_ok=False)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("a thousand runs in one second")


def name_and_start(run: Path) -> tuple[str, str]:
    """What a run is called, and when it started.

    The name is that of the folder, and the start is empty. Where :func:`new_run` called the folder by its start, the
    name is that of the folder above it.
    """
    run = run.resolve()
    try:
        datetime.strptime("_".join(run.name.split("_")[:2]), TIME_FORMAT)
    except ValueError:
        return run.name, ""
    return run.parent.name, run.name


def make_folder(folder: Path, *, exist_ok: bool = True) -> None:
    """Make a folder and those above it.

    Raises:
        ConfigurationError: it cannot be made.
        FileExistsError: it already exists, and that is not ``exist_ok``.
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
