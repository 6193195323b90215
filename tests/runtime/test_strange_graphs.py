"""A graph that somebody made or changed by hand: answers that mean nothing are refused in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from vidcls.cli import main
from vidcls.clips.settings import InputSettings
from vidcls.errors import CheckpointError
from vidcls.model_file import METADATA_KEY, ModelFacts
from vidcls.predict.clip_scorer import ClipScorer
from vidcls.transforms.settings import TransformSettings

pytest.importorskip("onnxruntime", reason="needs the extra runtime")
pytest.importorskip("onnx", reason="needs the extra export")

import onnx
from onnx import TensorProto, helper

from vidcls.runtime import Predictor

FACTS = ModelFacts(
    "Net",
    ("a", "b", "c", "d"),
    InputSettings(("rgb",), transform=TransformSettings(resize_px=8, crop_px=8)),  # type: ignore[arg-type]
)
FRAMES = np.zeros((3, 8, 8, 3), dtype=np.uint8)


def constant(values: object, kind: int = TensorProto.FLOAT) -> tuple[list[object], list[object]]:
    array = np.array(values, dtype=object if kind == TensorProto.STRING else np.float32)
    tensor = helper.make_tensor("t", kind, array.shape, array.ravel().tolist())
    return [helper.make_node("Constant", [], ["model"], value=tensor)], []


def file_of(
    folder: Path, nodes: Sequence[object], constants: Sequence[object], shape: Sequence[object] | None, kind: int
) -> Path:
    """A graph of RGB ``(V, 3, 1, 8, 8)`` with the facts above."""
    rgb = helper.make_tensor_value_info("rgb", TensorProto.UINT8, ["views", 3, 1, 8, 8])
    scores = helper.make_tensor_value_info("model", kind, shape)
    graph = helper.make_graph(nodes, "g", [rgb], [scores], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: FACTS.to_json()})
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


STRANGE = {
    "fewer classes": ([[0.1, 0.2, 0.7]], [1, 3], "its output model is \\(1, 3\\), but .* \\(views, 4\\)"),
    "a number": (0.1, [], "its output model is \\(\\), but"),
    "other views": ([[0.1, 0.2, 0.3, 0.4]] * 2, None, "answers with scores \\(2, 4\\), expected \\(1, 4\\)"),
    "text": ([["a", "b", "c", "d"]], [1, 4], "its output model is a tensor\\(string\\); expected numbers"),
    "no probabilities": ([[-5.0, 7.0, 1e30, 0.0]], [1, 4], "its scores of .* are not probabilities"),
    "NaN": ([[float("nan")] * 4], [1, 4], "are NaN or infinite"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_scores_of_another_kind_are_one_line(tmp_path: Path, name: str) -> None:
    values, shape, message = STRANGE[name]
    kind = TensorProto.STRING if name == "text" else TensorProto.FLOAT
    path = file_of(tmp_path, *constant(values, kind), shape, kind)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=message) as caught:
        Predictor(path)(FRAMES)
    assert "\n" not in str(caught.value)


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    path = file_of(tmp_path, *constant([[0.1, 0.2, 0.3, 0.4]]), [1, 4], TensorProto.FLOAT)
    assert Predictor(path)(FRAMES).label == "d"
    assert issubclass(Predictor, ClipScorer)


def test_what_a_graph_cannot_compute_is_one_line_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    huge = helper.make_tensor("size", TensorProto.INT64, [2], [1 << 40, 4])
    path = file_of(tmp_path, [helper.make_node("ConstantOfShape", ["size"], ["model"])], [huge], None, 1)
    (tmp_path / "v.gif").write_bytes(GIF)
    assert main(["predict", str(path), str(tmp_path / "v.gif")]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"vidcls: error: {path}: its graph cannot be run (")


GIF = (
    b"GIF89a\x08\x00\x08\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x08\x00\x08\x00\x00\x02\x07\x84\x8f"
    b"\xa9\xcb\xed\x0f\x63+\x00;"
)
"""One frame of 8x8."""
