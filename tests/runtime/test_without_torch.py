"""Where torch cannot be imported, an exported model predicts from the command line; what is wrong is one line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from reference_models import Reference, odd_videos, reference

from vidcls.cli import main
from vidcls.errors import CheckpointError, FlowError, MissingExtraError
from vidcls.flow import FlowSettings
from vidcls.loading import VideoDataModule
from vidcls.predict.open_model import open_model
from vidcls.transforms import TransformSettings

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
import onnx
from onnx_files import write_onnx

from vidcls.model_file import METADATA_KEY
from vidcls.runtime import Predictor

BLOCKED = ("torch", "torchvision", "torchmetrics", "pyarrow", "lightning", "jsonargparse", "sklearn", "scipy", "pebble")
PROGRAM = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in json.loads(sys.argv[1]):
            raise ImportError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Refuse())
from vidcls.cli import main

assert main(["predict", *sys.argv[2:]]) == 0
import vidcls.runtime
assert not {*json.loads(sys.argv[1])}.intersection(name.partition(".")[0] for name in sys.modules)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reference, Path]:
    """A two-stream model with flow by DIS, tested and exported."""
    folder = tmp_path_factory.mktemp("model")
    data = VideoDataModule(
        odd_videos(folder / "videos"),
        streams=("rgb", "flow"),
        flow_len=4,
        flow_settings=FlowSettings(bound_px=10, short_side_px=36),
        transform=TransformSettings(resize_px=36, crop_px=32),
        test_clips=2,
        num_workers=0,
    )
    found = reference(data, folder / "best.ckpt")
    return found, write_onnx(found.checkpoint, folder / "model.onnx")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_predict_writes_the_rows_of_the_checkpoint_where_torch_cannot_be_imported(
    model: tuple[Reference, Path], tmp_path: Path
) -> None:
    found, path = model
    videos = [str(video) for video in found.videos]
    output, overlays = tmp_path / "p.csv", tmp_path / "overlays"
    words = [json.dumps(BLOCKED), str(path), *videos, "--output", str(output), "--overlay", str(overlays)]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(overlays.rglob("*.mp4"))) == len(videos)
    assert main(["predict", str(found.checkpoint), *videos, "--output", str(tmp_path / "c.csv")]) == 0
    rows, expected = rows_of(output), rows_of(tmp_path / "c.csv")
    assert list(rows[0]) == list(expected[0])
    for row, other in zip(rows, expected, strict=True):
        for name, value in other.items():
            if name.startswith("p_"):
                assert float(row[name]) == pytest.approx(float(value), abs=1e-4), (row["path"], name)
            else:
                assert row[name] == value


def test_a_timeline_has_the_windows_of_the_checkpoint(
    model: tuple[Reference, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, path = model
    video = next(str(video) for video in found.videos if video.name == "usual.mp4")
    said = []
    for source, output in ((path, "p.json"), (found.checkpoint, "c.json")):
        words = ["predict", str(source), video, "--window_seconds", "1", "--output", str(tmp_path / output)]
        assert main(words) == 0
        said.append(capsys.readouterr().out)
    contents = [json.loads((tmp_path / name).read_text()) for name in ("p.json", "c.json")]
    assert [list(content) for content in contents] == [["checkpoint", "class_names", "predictions", "failures"]] * 2
    times = [[(p["start_seconds"], p["end_seconds"], p["prediction"]) for p in c["predictions"]] for c in contents]
    assert times[0] == times[1]
    assert len(times[0]) == 3
    assert [line.split()[:6] for line in said[0].splitlines()] == [line.split()[:6] for line in said[1].splitlines()]


def damaged(path: Path, tmp_path: Path) -> Path:
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:1000])
    return tmp_path / "cut.onnx"


def foreign(path: Path, tmp_path: Path) -> Path:
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, {"author": "somebody"})
    onnx.save(graph, tmp_path / "foreign.onnx")
    return tmp_path / "foreign.onnx"


def stating(**entries: object):
    def change(path: Path, tmp_path: Path) -> Path:
        graph = onnx.load(path)
        facts = json.loads(next(entry.value for entry in graph.metadata_props if entry.key == METADATA_KEY))
        facts["input"] |= entries.pop("input", {})  # type: ignore[operator]
        onnx.helper.set_model_props(graph, {METADATA_KEY: json.dumps({**facts, **entries})})
        onnx.save(graph, tmp_path / "changed.onnx")
        return tmp_path / "changed.onnx"

    return change


WRONG = {
    "damaged": (damaged, CheckpointError, r"cut\.onnx: cannot be loaded as an ONNX graph \(.*\): it is damaged"),
    "foreign": (
        foreign,
        CheckpointError,
        r"foreign\.onnx: does not say how a video becomes its input: .* vidcls export",
    ),
    "newer": (stating(format=7), CheckpointError, "has the format 7 of vidcls '.*update vidcls"),
    "unknown task": (stating(task="many"), CheckpointError, "changed.onnx: there is no task 'many'"),
    "other rows": (
        stating(rows=["model"]),
        CheckpointError,
        r"has the outputs .*, but says .* of model: export it again",
    ),
    "other size": (
        stating(input={"transform": {"crop_px": 31, "resize_px": 36}}),
        CheckpointError,
        r"its input rgb is \(3, 1, 32, 32\), but by what it says it must be \(3, 1, 31, 31\)",
    ),
    "flow of torch": (
        stating(input={"flow_settings": FlowSettings("tvl1").to_dict()}),
        FlowError,
        "its flow is of the method tvl1, which needs torch: predict with its checkpoint, or train on flow of dis or",
    ),
    "flow of a network": (
        stating(input={"flow_settings": FlowSettings("raft").to_dict()}),
        FlowError,
        "its flow is of the method raft, which needs torch",
    ),
    "flow of others": (
        stating(input={"flow_settings": FlowSettings("imported").to_dict()}),
        FlowError,
        "was trained on flow that another program wrote",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_cannot_be_used_is_one_line(
    model: tuple[Reference, Path], tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, error, message = WRONG[kind]
    path = make(model[1], tmp_path)
    with pytest.raises(error, match=message) as caught:
        open_model(path)
    assert "\n" not in str(caught.value)
    assert main(["predict", str(path), str(model[0].videos[0])]) == 2
    assert capsys.readouterr().err.startswith("vidcls: error: ")


def test_what_cannot_be_done_with_an_exported_file_is_one_line(
    model: tuple[Reference, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, video = str(model[1]), str(model[0].videos[0])
    for words, message in (
        (
            ["explain", path, video, "--output", "heat.mp4"],
            "is an exported file, which vidcls predict and vidcls serve",
        ),
        (["predict", path, video, "--device", "cuda"], "device cuda: this onnxruntime computes on CPUs only"),
        (["predict", "gone.onnx", video], "gone.onnx: no such file"),
        (["predict", path, "gone.mp4"], "gone.mp4: no such file"),
    ):
        assert main(words) == 2
        assert message in capsys.readouterr().err, words
    with pytest.raises(ValueError, match="num_threads is 0"):
        Predictor(path, num_threads=0)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"run: pip install 'vidcls\[runtime\]'"):
        Predictor(path)


def test_a_scorer_of_either_kind_says_the_same_of_itself(model: tuple[Reference, Path]) -> None:
    checkpoint, exported = open_model(model[0].checkpoint), open_model(model[1], num_threads=1)
    assert exported.class_names == checkpoint.class_names
    assert exported.input_settings == checkpoint.input_settings
    assert (checkpoint.path, exported.path) == (model[0].checkpoint, model[1])
    assert checkpoint.device_text == "cpu" or checkpoint.device_text.startswith("cuda")
    assert exported.device_text.startswith("cpu, 1 thread (onnxruntime")
    video = model[0].videos[0]
    with exported.open(video) as opened:
        assert exported(opened) == exported(video)
    assert list(exported.scores_by_row(video)) == list(checkpoint.scores_by_row(video))
    assert exported(video).path == video
