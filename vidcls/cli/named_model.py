"""What a command was given as its trained model -> the checkpoint, or what to pass in its place."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.packed_file import is_exported_ensemble, why_packed
from vidcls.runs.trained_model import POSSIBLE, checkpoint_of
from vidcls.video_files import is_video

MODEL_HELP = "a trained model: best or last of the newest training, runs/NAME, the folder of a run, or a checkpoint"
OR_EXPORTED_HELP = f"{MODEL_HELP}; or a file of vidcls export"
EXPORTED = (".onnx", ".pt2")
RUN_HELP = "a run that was tested: best for the newest, runs/NAME for the newest of a name, its folder, or a checkpoint"


def named_checkpoint(wanted: str) -> Path:
    """The checkpoint that is meant, which looks like one; nothing is read of it.

    Raises:
        CheckpointError: there is none, or it is a file of another kind.
    """
    path = checkpoint_of(wanted)
    if path.suffix.lower() in EXPORTED:
        raise CheckpointError(
            f"{path}: is an exported file, which vidcls predict and vidcls serve read: pass the checkpoint or the run "
            "that it was made from"
        )
    if (packed := why_packed(path)) is not None:
        raise CheckpointError(f"{path}: {packed}")
    if not zipfile.is_zipfile(path):  # what torch.save writes
        kind = "a configuration" if path.suffix.lower() in (".yaml", ".yml") else "damaged, or a file of another kind"
        raise CheckpointError(f"{path}: is not a readable checkpoint ({kind}): pass {POSSIBLE}")
    return path


def model_for_videos(wanted: str, videos: Sequence[str], *, command: str) -> Path:
    """The same, or an exported file, for a command that reads both.

    Raises:
        CheckpointError, ConfigurationError: as of `checkpoint_for_videos`.
    """
    if Path(wanted).suffix.lower() in EXPORTED or is_exported_ensemble(Path(wanted)):
        return checkpoint_of(wanted)
    return checkpoint_for_videos(wanted, videos, command=command)


def checkpoint_for_videos(wanted: str, videos: Sequence[str], *, command: str) -> Path:
    """The same for a command that has videos behind it, which may have been given in the place of the model.

    Raises:
        CheckpointError: as of `named_checkpoint`.
        ConfigurationError: the first word is a video.
    """
    if is_video(Path(wanted).name) and wanted not in ("best", "last"):
        other = next((video for video in videos if not is_video(Path(video).name)), "best")
        raise ConfigurationError(
            f"{wanted}: is a video, and the model comes before it: vidcls {command} {other} {wanted}"
        )
    return named_checkpoint(wanted)
