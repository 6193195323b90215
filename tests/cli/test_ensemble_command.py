"""``vidcls ensemble``: runs of different networks, sizes, streams and class orders answer as one run."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from vidcls import load
from vidcls.cli import main
from vidcls.compare.cost import measure
from vidcls.files import write_csv
from vidcls.models.ensemble_file import read_ensemble
from vidcls.predict.ensemble_predictor import EnsemblePredictor
from vidcls.predict.open_model import open_model
from vidcls.runs.calibration import at_temperature
from vidcls.runs.held_out import HeldOutFacts, write_held_out
from vidcls.runs.results import ScoredVideos, joined
from vidcls.runs.run import read_run
from vidcls.runs.score_files import read_scores, score_rows
from vidcls.runs.selective import UnknownTest

OTHER = """
seed_everything: 2
model: {{class_path: LateFusion, init_args: {{backbone: small, optimization: {{lr: 0.05, schedule: constant}}}}}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  class_names: [still, left, right]
  clip_len: 3
  stride: 2
  test_clips: 2
  batch_size: 4
  num_workers: 0
  transform: {{resize_px: 24, crop_px: 24, flip_probability: 0.0}}
trainer: {{max_epochs: 2, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}}
"""


@pytest.fixture(scope="module")
def members(trained: Path, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two tested runs: the two-stream one, and one on smaller frames, two views and another order of the classes."""
    root = tmp_path_factory.mktemp("members")
    config = root / "other.yaml"
    config.write_text(OTHER.format(root=clip_folder))
    first, second = Path(shutil.copytree(trained, root / "first")), root / "second"
    for words in (
        ("test", "--run", first, "--ckpt_path", "best"),
        ("fit", "--config", config, "--run", second),
        ("test", "--run", second, "--ckpt_path", "best"),
    ):
        assert main([str(word) for word in words]) == 0
    return first, second


def in_order(videos: ScoredVideos, class_names: tuple[str, ...]) -> np.ndarray:
    return videos.scores[:, [videos.class_names.index(name) for name in class_names]]


@pytest.mark.parametrize("rule", ["mean", "product"])
def test_an_ensemble_answers_as_its_members_did_in_their_tests(
    vidcls: Callable, members: tuple[Path, Path], clip_folder: Path, rule: str
) -> None:
    first, second = members
    outcome = vidcls("ensemble", first, second, "--run", "runs/both", "--rule", rule, "--weights", "validation")
    assert outcome.status == 0, outcome
    run = read_run(Path("runs/both"))
    one, two = (read_run(folder).videos for folder in members)
    assert (one.class_names, two.class_names) == (("left", "right", "still"), ("still", "left", "right"))
    assert run.videos.class_names == one.class_names
    assert run.videos.paths == one.paths
    weights = json.loads(Path("runs/both/ensemble.json").read_text())["weights"]
    assert sum(weights) == pytest.approx(1)
    p, q = one.scores, in_order(two, one.class_names)
    if rule == "mean":
        expected = weights[0] * p + weights[1] * q
    else:
        powers = np.maximum(p, 1e-7) ** weights[0] * np.maximum(q, 1e-7) ** weights[1]
        expected = powers / powers.sum(axis=1, keepdims=True)
    assert np.abs(run.videos.scores - expected).max() < 1e-6
    model = open_model("runs/both")  # of the folder alone
    for path, label_scores in zip(run.videos.paths, run.videos.scores, strict=True):
        rows = model.scores_by_row(clip_folder / path)
        assert np.abs(np.array(rows["model"]) - label_scores).max() < 1e-5
    assert set(rows) == {"model", *run.summary["table"]} - {rule}
    windows = model.timeline(clip_folder / run.videos.paths[0], 0.2)
    assert [w.start_seconds for w in windows] == sorted(w.start_seconds for w in windows)
    assert len(windows) > 1


def test_an_ensemble_is_a_run_that_reports_and_compares_and_is_all_that_it_needs(
    vidcls: Callable, members: tuple[Path, Path], clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, folder in enumerate(members):
        shutil.copytree(folder, tmp_path / "runs" / f"member{number}")
    made = vidcls("ensemble", "runs/member0", "runs/member1", "--run", "runs/both")
    assert made.status == 0, made
    assert "<- the model's answer" in made.out
    shutil.copytree("runs", "compared")
    shutil.rmtree("runs/member0")
    shutil.rmtree("runs/member1")
    video = next((clip_folder / "test").rglob("*.avi"))
    assert vidcls("predict", "best", video).status == 0
    assert load("best")(video).class_names == ("left", "right", "still")
    report = vidcls("report", "runs/both")
    assert report.status == 0, report
    page = Path("runs/both/report.html").read_text()
    assert {"member0", "member1"} < read_run(Path("runs/both")).summary["table"].keys()
    assert "member1" in page
    assert "streams" not in page.partition("<style>")[0] + page.partition("</style>")[2]
    assert "warning" not in report.err
    assert "no heat maps" in report.out
    from vidcls.cli import compare

    monkeypatch.setattr("vidcls.compare.cost.MAX_SECONDS", 0.0)
    assert compare.main(["--runs", "compared"], measure=measure) == 0
    table = json.loads(Path("compared/comparison.json").read_text())
    by_name = {row["model"]: row for row in table["models"]}
    assert {"both"} < set(by_name)
    work = {name: row["multiply_adds"] for name, row in by_name.items()}
    assert work["both"] == sum(number for name, number in work.items() if name != "both")
    for words in (
        ("test", "--run", "runs/both", "--ckpt_path", "best"),
        ("explain", "runs/both", video),
        ("export", "runs/both", "x.onnx"),
        ("pack", "runs/both", "x.zip"),
        ("summary", "runs/both"),
        ("serve", "runs/both", "--port", "0"),
        ("predict", "runs/both", "--source", video, "--live"),
    ):
        assert "is an ensemble" in vidcls(*words).refusal(), words


def test_an_ensemble_answers_unknown_by_a_threshold_of_its_own_as_a_checkpoint_and_as_a_file(
    vidcls: Callable, members: tuple[Path, Path], clip_folder: Path, tmp_path: Path
) -> None:
    folders = [Path(shutil.copytree(folder, tmp_path / f"member{k}")) for k, folder in enumerate(members)]
    for folder in folders:
        own = read_run(folder).videos
        at_several = [
            at_temperature(own, temperature) for temperature in (0.7, 0.9, 1.1, 1.3)
        ]  # equal to no test video
        repeated = joined(
            [
                replace(each, paths=tuple(f"{k}/{path}" for path in own.paths), labels=np.roll(own.labels, k == 3))
                for k, each in enumerate(at_several)  # some labels are wrong, which takes a temperature above 1
            ]
        )
        write_held_out(folder, repeated, HeldOutFacts(len(repeated), repeated.class_names, "single_label"))
        leave_out(folder, number=0)
    chosen = ("--unknown", "max_probability", "--known_share", "0.5", "--temperature_scaling")
    made = vidcls("ensemble", *folders, "--run", "runs/both", *chosen)
    assert made.status == 0, made
    decision = read_ensemble(Path("runs/both/checkpoints/best.ckpt"))[0].decision
    assert decision.unknown_below is not None
    summary, together = json.loads(Path("runs/both/test.json").read_text()), read_run(Path("runs/both")).videos
    below = together.confidence < decision.unknown_below
    assert 0 < below.sum() < len(below)
    assert summary["unknown"]["kept"] == pytest.approx(1 - below.mean())
    assert summary["temperature"] == {"model": decision.temperature["model"]}
    first, rest = together.confidence[0], together.confidence[1:]  # the video of no class has the scores of the first
    assert summary["unknown"]["auroc"] == pytest.approx(((rest > first).sum() + 0.5) / len(together))
    assert "1 videos of jump, which were left out: AUROC" in made.out
    assert ",jump," in Path("runs/both/test_left_out.csv").read_text().splitlines()[1]
    assert vidcls("report", "runs/both").status == 0
    models = ["runs/both"]
    if all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        exported = vidcls("export", "runs/both", "both.zip", "--num_checked", "1", "--no_timing")
        assert exported.status == 0, exported
        models.append("both.zip")
    paths = [clip_folder / path for path in together.paths]
    for model in models:
        assert vidcls("predict", model, *paths, "--unknown", "--output", "p.json").status == 0
        found = {row["path"]: row["prediction"] for row in json.loads(Path("p.json").read_text())["predictions"]}
        assert [found[str(path)] == "unknown" for path in paths] == below.tolist()
    assert vidcls("ensemble", *members, "--run", "runs/plain").status == 0
    refusal = vidcls("predict", "runs/plain", *paths, "--unknown").refusal()
    assert "make it again with vidcls ensemble --unknown max_probability" in refusal
    odd = ("ensemble", *members, "--run", "runs/odd")
    assert (
        "must lie above 0 and up to 1" in vidcls(*odd, "--unknown", "max_probability", "--known_share", "2").refusal()
    )
    assert "--known_share belongs to --unknown" in vidcls(*odd, "--known_share", "0.9").refusal()


def leave_out(folder: Path, *, number: int, name: str = "jump") -> None:
    """As if the test had one more video, of a class that was left out, with the scores of the one of this number."""
    content = json.loads((folder / "test.json").read_text())
    content["unknown"] = UnknownTest(None, None, None, (name,), 1, auroc=0.5).to_dict()
    (folder / "test.json").write_text(json.dumps(content))
    write_csv(folder / "test_left_out.csv", score_rows(read_run(folder).videos.at(np.array([number])), labels=[name]))


def test_members_that_left_out_other_videos_are_refused(
    vidcls: Callable, members: tuple[Path, Path], tmp_path: Path
) -> None:
    folders = [Path(shutil.copytree(folder, tmp_path / f"member{k}")) for k, folder in enumerate(members)]
    for number, folder in enumerate(folders):
        leave_out(folder, number=number)
    refusal = vidcls("ensemble", *folders, "--run", "runs/both").refusal()
    assert ", a video of a class that was left out, was scored by one of them alone" in refusal
    leave_out(folders[1], number=0, name="hop")
    assert (
        "left out hop and jump: train them with the same --data.left_out_classes"
        in vidcls("ensemble", *folders, "--run", "runs/both").refusal()
    )
    leave_out(folders[1], number=0)
    (folders[1] / "test_left_out.csv").write_text("path,label\n")
    assert "writes it again" in vidcls("ensemble", *folders, "--run", "runs/both").refusal()
    content = json.loads((folders[0] / "test.json").read_text())
    content["unknown"] |= {"num_left_out": 0, "auroc": None}  # a class of which the test has no video
    for folder in folders:
        (folder / "test.json").write_text(json.dumps({**json.loads((folder / "test.json").read_text()), **content}))
        (folder / "test_left_out.csv").unlink()
    assert vidcls("ensemble", *folders, "--run", "runs/both").status == 0


def test_an_ensemble_is_exported_as_one_file_that_answers_like_it_without_torch(
    vidcls: Callable, members: tuple[Path, Path], clip_folder: Path
) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="the extra export is not installed")
    assert vidcls("ensemble", *members, "--run", "runs/both", "--rule", "product").status == 0
    exported = vidcls("export", "runs/both", "both.zip", "--num_checked", "2", "--no_timing")
    assert exported.status == 0, exported
    assert "wrote both.zip/members/first.onnx" in exported.out
    tested = read_run(Path("runs/both")).videos
    model = open_model("both.zip")
    assert isinstance(model, EnsemblePredictor)
    assert {type(member).__module__ for member in model.members} == {"vidcls.runtime.predictor"}
    for path, expected in zip(tested.paths, tested.scores, strict=True):
        assert np.abs(np.array(model(clip_folder / path).scores) - expected).max() < 1e-4
    assert vidcls("predict", "both.zip", clip_folder / tested.paths[0]).status == 0
    damaged = zipfile.ZipFile("damaged.zip", "w")
    with zipfile.ZipFile("both.zip") as whole, damaged:
        damaged.writestr("ensemble.json", whole.read("ensemble.json"))
    assert (
        "is no ensemble of vidcls export" in vidcls("predict", "damaged.zip", clip_folder / tested.paths[0]).refusal()
    )
    assert "pass OUT.onnx" in vidcls("export", members[0], "one.zip").refusal()


def test_runs_that_do_not_fit_together_are_one_line(
    vidcls: Callable, members: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = members

    def spoilt(name: str, file: str, change: Callable[[str], str]) -> Path:
        folder = Path(shutil.copytree(second, tmp_path / name))
        (folder / file).write_text(change((folder / file).read_text()))
        return folder

    def refusal(*words: object) -> str:
        line: str = vidcls("ensemble", *words, "--run", "runs/both").refusal()
        assert not Path("runs/both").exists()
        return line

    assert "pass RUN RUN" in refusal(first)
    assert "each once" in refusal(first, first)
    fewer = spoilt("fewer", "test.csv", lambda text: "".join(text.splitlines(keepends=True)[:-1]))
    assert "tested on 6 and 7 videos" in refusal(first, fewer)
    other = spoilt("other", "test.json", lambda text: text.replace('"still"', '"rest"'))
    renamed = (other / "test.csv").read_text().replace("still,", "rest,").replace("p_still", "p_rest")
    (other / "test.csv").write_text(renamed)
    assert "rest, still" in refusal(first, other)
    label = spoilt("label", "test.csv", lambda text: text.replace(".avi,still,", ".avi,left,", 1))
    assert "has another label" in refusal(first, label)
    without = Path(shutil.copytree(second, tmp_path / "without"))
    (without / "validation.csv").unlink()
    line = refusal(first, without, "--weights", "validation")
    assert f"vidcls validate --run {without} --ckpt_path best" in line
    assert vidcls("validate", "--run", without, "--ckpt_path", "best").status == 0
    assert (without / "validation.csv").read_text() == (second / "validation.csv").read_text()
    untested = Path(shutil.copytree(second, tmp_path / "untested"))
    (untested / "test.json").unlink()
    assert "vidcls test" in refusal(first, untested)


def test_validation_scores_are_those_of_the_best_epoch(members: tuple[Path, Path]) -> None:
    for folder in members:
        run = read_run(folder)
        kept = read_scores(folder / "validation.csv", run.videos.class_names)
        best = max(value for _, value in run.curves["val/top1"])
        assert kept.measured("top1") == pytest.approx(best, abs=1e-6)
        assert not set(kept.paths) & set(run.videos.paths)
