"""Every architecture, and every trap of exporters, answers from an .onnx file as from its checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from every_model import CHEAP, MODELS, small
from export_cases import CLASSES, clip_of, settings_of, stirred
from hub_models import CLASSIFIERS, saved

from vidcls.clips import InputSettings
from vidcls.errors import ExportError
from vidcls.export.graph import ScoringGraph, exported_program
from vidcls.inference import Scorer
from vidcls.layers.probe_heads import HeadEnsemble, HeadSettings
from vidcls.models import (
    AudioVisual,
    Conv3D,
    EarlyFusion,
    MoViNet,
    Probe,
    RecurrentConv,
    SingleFrame,
    TwoStream,
    VideoClassifier,
)
from vidcls.runtime.session import OnnxSession
from vidcls.tasks import TASKS
from vidcls.transforms import TransformSettings
from vidcls.types import sees

pytest.importorskip("onnxscript", reason="needs the extra export")

from vidcls.export.onnx_file import write_onnx

CLOSE = 2e-5


def with_svm() -> VideoClassifier:
    model = small(TwoStream, CLASSES, clip_of(clip_len=1), fusion="svm")
    assert isinstance(model, TwoStream)
    probabilities = torch.rand(2, 30, 3, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    model.svm.fit(probabilities, torch.arange(30) % 3)
    return model


def probe() -> VideoClassifier:
    """One with several fitted heads, as ``vidcls probe`` leaves it: backbone and heads are one file."""
    clip = clip_of(num_snippets=4, clip_len=1)
    model = Probe(class_names=CLASSES, clip=clip, backbone="small", weights=None, levels=["block3", "block4"])
    first = HeadSettings("logistic", ("block3", "block4"), "mean+absdiff+ends", "grid", scale="sqrt")
    heads = [first, HeadSettings("svm", ("block4",), "segments2", "whole")]
    model.take_heads(HeadEnsemble(heads, model.shapes, len(CLASSES)))
    return model


def transformer(folder: Path) -> VideoClassifier:
    name, _ = saved(folder / "dinov2", CLASSIFIERS["dinov2"])
    return SingleFrame(class_names=CLASSES, clip=clip_of(clip_len=1), backbone=name)


def video_transformer(folder: Path) -> VideoClassifier:
    name, _ = saved(folder / "videomae", CLASSIFIERS["videomae"])
    return Conv3D(class_names=CLASSES, clip=clip_of(clip_len=4), backbone=name)


TRAPS: dict[str, Callable[[Path], VideoClassifier]] = {
    "gru": lambda _: RecurrentConv(class_names=CLASSES, clip=clip_of(clip_len=3), backbone="small", recurrence="gru"),
    "bidirectional gru": lambda _: RecurrentConv(
        class_names=CLASSES, clip=clip_of(clip_len=3), backbone="small", recurrence="gru", bidirectional=True
    ),
    "lstm": lambda _: RecurrentConv(class_names=CLASSES, clip=clip_of(clip_len=3), backbone="small", recurrence="lstm"),
    "svm": lambda _: with_svm(),
    "several labels": lambda _: small(TwoStream, CLASSES, clip_of(num_snippets=2, clip_len=1), task="multi_label"),
    "padding of even sizes": lambda _: MoViNet(
        class_names=CLASSES, clip=clip_of(), form="tiny", zero_init_residual=False
    ),
    "3d pooling": lambda _: Conv3D(class_names=CLASSES, clip=clip_of(clip_len=8), backbone="i3d_resnet18"),
    "probe": lambda _: probe(),
    "transformers": transformer,
    "transformers on video": video_transformer,
    "consensus": lambda _: small(TwoStream, CLASSES, clip_of(num_snippets=3, clip_len=1), consensus="max"),
    "snippets of a 3d network": lambda _: Conv3D(
        class_names=CLASSES, clip=clip_of(num_snippets=2), backbone="small_3d"
    ),
    "fovea and context": lambda _: EarlyFusion(
        class_names=CLASSES, clip=clip_of(), backbone="small", multi_resolution=True
    ),
}

QUICK = ("bidirectional gru", "several labels", "svm", "probe", "transformers", "fovea and context")


def check_answers(model: VideoClassifier, settings: InputSettings, folder: Path) -> None:
    """The file answers views of noise, one and several at once, as the test's own scorer does."""
    graph = ScoringGraph(model, settings)
    path = folder / "model.onnx"
    write_onnx(graph, exported_program(graph), path)
    session = OnnxSession(path, device="cpu", num_threads=1)
    assert list(session.inputs) == [stream.name for stream in model.streams]
    assert tuple(session.outputs) == graph.row_names
    assert {shape[0] for shape in session.inputs.values()} == {"views"}
    answers = []
    for num_views in (1, 5):
        views = dict(zip(graph.stream_names, graph.example(num_views=num_views, seed=num_views), strict=True))
        with torch.inference_mode():
            expected = Scorer.of(model, settings).by_view({name: view[None] for name, view in views.items()})
        found = session.run({name: view.numpy() for name, view in views.items()})
        assert list(expected) == list(graph.row_names)
        for row, scores in zip(graph.row_names, found, strict=True):
            np.testing.assert_allclose(scores, expected[row][0].numpy(), atol=CLOSE, err_msg=row)
        answers.append(found[0])
    assert float(np.ptp(np.log(np.clip(np.abs(answers[1]), 1e-37, None)), axis=0).max()) > 0.05, (
        "the answers do not hang on the clips"
    )


def test_a_model_that_hears_is_refused_in_one_line() -> None:
    model = small(AudioVisual, CLASSES, clip_of(clip_len=1))
    with pytest.raises(ExportError, match="AudioVisual hears, and exported files have no sound: use the checkpoint"):
        ScoringGraph(model, settings_of(model))


@pytest.mark.slow
@pytest.mark.parametrize("model_class", MODELS, ids=lambda model_class: model_class.__name__)
def test_every_architecture_answers_as_its_checkpoint_with_every_task(
    model_class: type[VideoClassifier], tmp_path: Path
) -> None:
    assert model_class.__name__ in CHEAP
    clip = clip_of(clip_len=1 if model_class is SingleFrame else 4)
    if sees(model_class.streams, "audio"):
        return  # which export refuses: see below
    for task in TASKS:
        model = stirred(small(model_class, CLASSES, clip, task=task))
        check_answers(model, settings_of(model), tmp_path)


@pytest.mark.parametrize(
    "trap", [pytest.param(trap, marks=[] if trap in QUICK else [pytest.mark.slow]) for trap in TRAPS]
)
def test_what_exporters_stumble_over_is_exported_right(trap: str, tmp_path: Path) -> None:
    model = stirred(TRAPS[trap](tmp_path))
    square = TransformSettings(resize_px=32, crop_px=32)  # as videomae takes it
    more = {"transform": square} if trap == "transformers on video" else {}
    check_answers(model, settings_of(model, **more), tmp_path)


def test_logits_stay_logits_where_these_are_averaged(tmp_path: Path) -> None:
    model = stirred(small(TwoStream, CLASSES, clip_of(clip_len=1), fusion="mean"), score="logits")
    settings = settings_of(model, score="logits")
    check_answers(model, settings, tmp_path)
    graph = ScoringGraph(model, settings)
    (scores, *_) = graph(*graph.example(num_views=4)).values()
    assert not torch.allclose(scores.sum(dim=1), torch.ones(4))


class Branches(SingleFrame):
    """One of somebody's own, which looks at values."""

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        logits = super().forward(rgb)
        return logits if float(rgb.mean()) > 0 else -logits


def test_a_network_that_is_no_graph_is_refused_in_one_line() -> None:
    model = Branches(class_names=CLASSES, clip=clip_of(clip_len=1), backbone="small")
    graph = ScoringGraph(model, settings_of(model))
    with pytest.raises(
        ExportError, match=r"^Branches cannot be exported \([^\n]*\): its forward must be one graph[^\n]*$"
    ):
        exported_program(graph)
