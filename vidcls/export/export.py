"""A trained model -> an exported file that was compared with it, and what the comparison found."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vidcls.clips.settings import InputSettings
from vidcls.errors import ExportError, VidclsError
from vidcls.export.answers import answer_of
from vidcls.export.facts import facts_of
from vidcls.export.graph import ScoringGraph, exported_program
from vidcls.export.onnx_file import write_facts, write_onnx
from vidcls.export.parity import UNKNOWN, Parity, Precision, check, compare
from vidcls.export.precision import quantise
from vidcls.export.request import ONNX, PT2, check_output
from vidcls.export.videos import RandomClips, Videos, named_videos, videos_of_run
from vidcls.files import atomic_write
from vidcls.inference import Scorer
from vidcls.inference.pt2_file import write_pt2
from vidcls.model_file import ModelFacts
from vidcls.models.build import build_classifier
from vidcls.models.checkpoint import read_checkpoint
from vidcls.predict.predictor import input_settings_of
from vidcls.runs.trained_model import run_of
from vidcls.video.source import AnyVideo, source_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

    from vidcls.models import VideoClassifier

NUM_CHECKED = 200
NUM_CALIBRATION = 64
"""Videos of the training split whose activations give int8 its ranges: by 64 they hardly change."""


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Args:
        path: the file.
        facts: what it says of itself.
        parity: how it compares with its checkpoint.
        videos: on what, in words.
        num_bytes: of the file.
        checkpoint_bytes: of the network's weights in float32.
    """

    path: Path
    facts: ModelFacts
    parity: Parity
    videos: str
    num_bytes: int
    checkpoint_bytes: int


def export(
    checkpoint: Path,
    output: Path,
    *,
    precision: Precision = "fp32",
    videos: Sequence[AnyVideo] = (),
    calibration: Sequence[AnyVideo] = (),
    num_checked: int = NUM_CHECKED,
    tolerance: float | None = None,
    is_forced: bool = False,
    say: Callable[[str], object] = lambda _line: None,
) -> Exported:
    """Write a checkpoint as ``.onnx`` or ``.pt2``, and compare both; the file is whole, compared and good, or absent.

    Args:
        checkpoint: the trained model.
        output: the file.
        precision: of the network; ``int8`` is for ``.onnx`` on a CPU.
        videos: to compare on; without any, the test videos of the run that the checkpoint lies in, or else noise.
        calibration: videos for the ranges of int8, none of which is tested; without any, training videos of the run.
        num_checked: test videos of the run at most.
        tolerance: largest difference of a probability; None for that of the precision.
        is_forced: whether int8 may lose more accuracy than is allowed.
        say: prints a line.

    Raises:
        ExportError: the network cannot be exported, or the file answers otherwise.
        CheckpointError: the checkpoint cannot be used.
        MissingExtraError: a package of the extra ``export`` is missing or too old.
        DecodeError: a named video cannot be read.
    """
    check_output(output, precision)
    model, settings = _read(checkpoint)
    graph = graph_of(checkpoint, dtype=torch.float16 if precision == "fp16" else torch.float32)
    run = run_of(checkpoint)
    checked = _videos(videos, run, model, graph, num_checked, say)
    calibrated: Videos | None = None
    if precision == "int8":
        if not is_forced and (isinstance(checked, RandomClips) or checked.model is None):
            raise ExportError(UNKNOWN)
        _check_apart(checked, calibration)
        calibrated = _calibration(calibration, run, model, settings.single_view())
    facts = facts_of(checkpoint, run, model, graph, precision)
    reference = Scorer.of(model, settings)
    program = exported_program(graph)
    with atomic_write(output) as temporary:
        if output.suffix == ONNX:
            write_onnx(graph, program, temporary)
            if calibrated is not None:
                quantise(temporary, temporary, (video.views for video in calibrated))
        _put_facts(program, temporary, facts)
        parity = compare(_by_view(reference, settings), answer_of(temporary), checked, model.task, settings.score)
        check(parity, precision, tolerance=tolerance, is_forced=is_forced)
        results = {**facts.results, "export": {"videos": _said(checked, parity), **parity.to_dict()}}
        facts = replace(facts, results=results)
        _put_facts(program, temporary, facts)
    weights = sum(each.numel() * each.element_size() for each in model.state_dict().values())
    return Exported(output, facts, parity, _said(checked, parity), output.stat().st_size, weights)


def graph_of(checkpoint: Path, *, dtype: torch.dtype = torch.float32) -> ScoringGraph:
    """The graph of a checkpoint, with a network of its own.

    Raises:
        CheckpointError: it cannot be used.
    """
    model, settings = _read(checkpoint)
    return ScoringGraph(model, settings, dtype=dtype)


def _read(checkpoint: Path) -> tuple[VideoClassifier, InputSettings]:
    facts = read_checkpoint(checkpoint)
    return build_classifier(facts), input_settings_of(checkpoint, facts.input_settings)


def _videos(
    named: Sequence[AnyVideo],
    run: Path | None,
    model: VideoClassifier,
    graph: ScoringGraph,
    most: int,
    say: Callable[[str], object],
) -> Videos | RandomClips:
    """What the file is checked on."""
    if named:
        return named_videos(named, graph.settings)
    if run is None:
        say("vidcls: warning: the checkpoint lies in no run, so that it is checked on random clips: pass --check VIDEO")
        return RandomClips(graph)
    try:
        return videos_of_run(run, "test", model, graph.settings, most=most)
    except VidclsError as error:
        say(f"vidcls: warning: {error}: it is checked on random clips; pass --check VIDEO ... for others")
        return RandomClips(graph)


def _check_apart(checked: Videos | RandomClips, calibration: Sequence[AnyVideo]) -> None:
    """Refuse to take the ranges of int8 from what then says how good they are."""
    tested = {os.path.realpath(record.source.name) for record in getattr(checked, "records", ())}
    for source in map(source_of, calibration):
        if os.path.realpath(source.name) in tested:
            raise ExportError(
                f"{source.name}: is both calibrated on and checked, so that the check would be too good: pass other "
                "videos to --calibrate"
            )


def _calibration(named: Sequence[AnyVideo], run: Path | None, model: VideoClassifier, single: InputSettings) -> Videos:
    """The calibration videos, of which one view is read."""
    if named:
        return named_videos(named, single)
    if run is None:
        raise ExportError("int8 takes its ranges from clips, and the checkpoint lies in no run: pass --calibrate VIDEO")
    try:
        return videos_of_run(run, "train", model, single, most=NUM_CALIBRATION)
    except VidclsError as error:
        raise ExportError(
            f"int8 takes its ranges from clips of the training, which are not there ({error}): pass --calibrate VIDEO "
            "..."
        ) from error


def _put_facts(program: ExportedProgram, path: Path, facts: ModelFacts) -> None:
    if path.suffix == PT2:
        write_pt2(program, path, facts)
    else:
        write_facts(path, facts)


def _by_view(scorer: Scorer, settings: InputSettings) -> Callable[..., dict[str, Tensor]]:
    """The scores of views, computed as in a test; the flow has been computed already."""
    assert scorer.network_input is not None
    network_input = scorer.network_input
    fed = Scorer(scorer.network, settings.score)

    def answer(streams: dict[str, Tensor]) -> dict[str, Tensor]:
        one_video = {name: stream[None] for name, stream in network_input.normalised(streams).items()}
        return {row: scores[0] for row, scores in fed.by_view(one_video).items()}

    return answer


def _said(videos: Videos | RandomClips, parity: Parity) -> str:
    of_all = "" if parity.num_videos == videos.num_all else f" of {videos.num_all}"
    unread = f", {len(videos.unread)} could not be read" if videos.unread else ""
    what = videos.what.removesuffix("s") if parity.num_videos == 1 and not of_all else videos.what
    return f"{parity.num_videos}{of_all} {what}{unread}"
