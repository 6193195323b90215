"""An ensemble -> one ``.zip`` file: an ``.onnx`` file for each member, and how they answer together."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from vidcls.errors import ExportError
from vidcls.export.export import Exported, export
from vidcls.export.parity import Precision
from vidcls.export.request import ONNX, check_packages
from vidcls.files import atomic_write
from vidcls.models.ensemble_file import read_ensemble, write_member
from vidcls.packed_file import ENSEMBLE_NAME, ENSEMBLE_SUFFIX, MEMBERS_FOLDER
from vidcls.runs.folder import BEST, CONFIG_FILE, checkpoint_in
from vidcls.runs.trained_model import run_of
from vidcls.video.source import AnyVideo

FORMAT = 1


def export_ensemble(
    checkpoint: Path,
    output: Path,
    *,
    precision: Precision = "fp32",
    videos: Sequence[AnyVideo] = (),
    num_checked: int,
    tolerance: float | None = None,
    say: Callable[[str], object] = lambda _line: None,
) -> list[Exported]:
    """Write the file; every member is compared with its checkpoint as a model of its own would be.

    The members see other clips at other sizes, so that they are graphs of their own and not one: the file holds them
    whole, and each can be taken out and used alone.

    Args:
        checkpoint: of the ensemble.
        output: ends in ``.zip``.
        precision: of the networks; int8 is for single models.
        videos: to compare on; without any, the test videos of the run.
        num_checked: test videos at most.
        tolerance: largest difference of a probability; None for that of the precision.
        say: prints a line.

    Returns:
        what was found about each member; its path is that inside of the file.

    Raises:
        ExportError: the suffix is another, or a member cannot be exported or answers otherwise.
        CheckpointError: the checkpoint cannot be used.
        MissingExtraError: a package of the extra ``export`` is missing.
    """
    if output.suffix != ENSEMBLE_SUFFIX:
        raise ExportError(
            f"{output}: suffix is {output.suffix!r}, and {checkpoint} is an ensemble, which becomes a "
            f"{ENSEMBLE_SUFFIX} file with an {ONNX} file for each member: pass OUT{ENSEMBLE_SUFFIX}"
        )
    if precision == "int8":
        raise ExportError(f"{output}: an ensemble is exported as fp32 or fp16: remove --precision int8")
    check_packages()
    ensemble, _ = read_ensemble(checkpoint)
    run = run_of(checkpoint)
    found: list[Exported] = []
    with tempfile.TemporaryDirectory(prefix="vidcls-") as made, atomic_write(output) as temporary:
        files: list[Path] = []
        for number, name in enumerate(ensemble.names):
            folder = Path(made) / name
            write_member(checkpoint, number, checkpoint_in(folder, BEST))
            if run is not None:  # says which videos it is compared on
                (folder / CONFIG_FILE).write_text((run / CONFIG_FILE).read_text(encoding="utf-8"), encoding="utf-8")
            files.append(Path(made) / f"{name}{ONNX}")
            one = export(
                checkpoint_in(folder, BEST),
                files[-1],
                precision=precision,
                videos=videos,
                num_checked=num_checked,
                tolerance=tolerance,
                say=say,
            )
            found.append(replace(one, path=output / MEMBERS_FOLDER / files[-1].name))  # where it will be
        with zipfile.ZipFile(temporary, "w") as archive:  # weights do not get smaller
            archive.writestr(ENSEMBLE_NAME, json.dumps({"format": FORMAT, **ensemble.to_dict()}, indent=1))
            for file in files:
                archive.write(file, f"{MEMBERS_FOLDER}/{file.name}")
    return found
