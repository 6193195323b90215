"""``vidcls compare``: from configurations to the table, going on, failing in part, refusing what does not compare."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from vidcls.cli import compare
from vidcls.compare.cost import Cost, CostRequest
from vidcls.errors import ConfigurationError

Command = Callable[..., object]
COST = Cost(
    num_parameters=1,
    num_multiply_adds=2,
    latency_seconds=[0.001],
    inference_seconds=[0.01],
    training_seconds=[0.02],
    training_peak_bytes=None,
    clip_shapes={"rgb": [1, 3, 1, 32, 32]},
    num_threads=1,
)
RGB_ONLY = """
model: {class_path: SingleFrame, init_args: {backbone: small}}
"""


class Compare:
    """Calls the comparison with its commands in this process, and with fake costs."""

    def __init__(self, vidcls: Command) -> None:
        self.vidcls = vidcls
        self.asked: list[Sequence[str]] = []
        self.fails: str | None = None

    def execute(self, words: Sequence[str], log: Path) -> int:
        self.asked.append(words)
        if self.fails is not None and self.fails in " ".join(words):
            log.write_text("vidcls: error: it went wrong\n")
            return 2
        outcome = self.vidcls(*words)
        log.write_text(outcome.out + outcome.err)
        return outcome.status

    def __call__(self, *words: object) -> tuple[int, str]:
        self.asked.clear()
        out = StringIO()
        with redirect_stdout(out), redirect_stderr(StringIO()):
            status = compare.main([str(word) for word in words], execute=self.execute, measure=self.measure)
        return status, out.getvalue()

    def measure(self, request: CostRequest) -> Cost:
        assert Path(request.checkpoint).is_file()
        return COST


@pytest.fixture
def comparing(vidcls: Command) -> Compare:
    return Compare(vidcls)


@pytest.fixture
def pair(tiny: Path, tmp_path: Path) -> list[object]:
    """Two configurations about the same clips: two-stream, and the same with one frame alone."""
    text = tiny.read_text()
    frame = tmp_path / "frame.yaml"
    frame.write_text(RGB_ONLY + text[text.index("data:") :].replace("flow_len: 3", "clip_len: 1"))
    return ["--config", tiny, "--config", frame]


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "comparison.csv").open(newline="", encoding="utf-8") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def test_two_models_are_trained_tested_and_set_side_by_side(
    comparing: Compare, pair: list[object], tmp_path: Path
) -> None:
    same = (*pair, "--output", "out", "--model.dropout", "0.25", "--seeds", 4, "--max_epochs", 1)
    status, out = comparing(*same)
    assert status == 0, out
    output = tmp_path / "out"
    assert [words[0] for words in comparing.asked] == ["fit", "test"] * 2
    assert "[1/2] tiny seed 4: train ..." in out
    rows = table(output)
    assert list(rows) == ["frame", "tiny"]
    for name, row in rows.items():
        tested = json.loads((output / name / "seed4" / "test.json").read_text())["table"]["model"]
        assert float(row["top1_mean"]) == pytest.approx(tested["top1"], abs=1e-5)
        assert float(row["mean_class_accuracy_mean"]) == pytest.approx(tested["mean_class_accuracy"], abs=1e-5)
        assert (row["num_seeds"], row["num_test_videos"], row["epochs"], row["top1_std"]) == ("1", "7", "1", "")
        assert float(row["training_seconds"]) > 0
        assert (output / name / "seed4" / "fit.log").is_file()
        assert "dropout: 0.25" in (output / name / "seed4" / "config.yaml").read_text()
        assert "test on 7 videos" in (output / name / "seed4" / "test.log").read_text()
    content = json.loads((output / "comparison.json").read_text())
    assert content["commands"][0]["command"].startswith("vidcls compare --config")
    assert content["chance"] == pytest.approx(1 / 3)
    assert {run["seed"] for run in content["runs"]} == {4}
    assert content["commands"][0]["machine"]["versions"].keys() >= {"python", "torch", "vidcls"}
    for name in ("comparison.md", "accuracy_by_cost.png", "curves.png", "curves.csv"):
        assert (output / name).stat().st_size > 0

    status, out = comparing(*same)
    assert (status, comparing.asked) == (0, [])
    assert out.count(": is there") == 2

    (output / "comparison.md").unlink()
    status, out = comparing("--runs", "out")
    assert (status, comparing.asked) == (0, [])
    assert table(output) == rows
    assert "--max_epochs 1" in (output / "comparison.md").read_text()

    with pytest.raises(
        ConfigurationError, match=r"seed4: was trained with other settings: trainer.max_epochs \(1, 2\)"
    ):
        comparing(*same[:-1], 2)
    with pytest.raises(ConfigurationError, match=r"seed4: was trained with other settings: data.batch_size \(4, 2\)"):
        comparing(*pair, "--output", "out", "--seeds", 5, "--max_epochs", 1, "--data.batch_size", 2)
    with pytest.raises(ConfigurationError, match=r"third and .+ would be trained under different conditions"):
        comparing(*pair[:2], "--names", "third", "--output", "out", "--max_epochs", 2)

    shutil.rmtree(output / "tiny")
    status, out = comparing(*same, "--data.num_workers", 1)
    assert (status, [words[0] for words in comparing.asked]) == (0, ["fit", "test"])
    assert table(output)["tiny"]["top1_mean"] == rows["tiny"]["top1_mean"]


def test_a_failed_run_is_listed_and_loses_no_other(comparing: Compare, pair: list[object], tmp_path: Path) -> None:
    comparing.fails = "fit --config " + str(pair[1])
    status, out = comparing(*pair, "--output", "out", "--seeds", 5, "--max_epochs", 1)
    assert status == 1
    assert "missing: tiny seed 5: train: it went wrong" in out
    assert list(table(tmp_path / "out")) == ["frame"]
    assert table(tmp_path / "out")["frame"]["top1_std"] == ""
    comparing.fails = None
    assert comparing(*pair, "--output", "out", "--seeds", 5, "--max_epochs", 1)[0] == 0
    assert [words[0] for words in comparing.asked] == ["fit", "test"]
    assert list(table(tmp_path / "out")) == ["frame", "tiny"]


def test_where_every_run_fails_the_status_says_so(comparing: Compare, pair: list[object]) -> None:
    comparing.fails = "fit"
    status, out = comparing(*pair, "--output", "out", "--seeds", 0)
    assert status == 1
    assert out.count("missing: ") == 3
    assert "nothing to compare yet" in out


def test_an_interrupted_training_goes_on_to_the_same_result(
    comparing: Compare, pair: list[object], stop_at: Callable[[int, str], list[str]], tmp_path: Path
) -> None:
    words = [*pair[:2], "--seeds", 0]
    assert comparing(*words, "--output", "whole")[0] == 0
    execute = comparing.execute

    def interrupted(words: Sequence[str], log: Path) -> int:
        return execute([*words, *stop_at(4, "batch"), "--save_every_n_steps", "1"], log)

    comparing.execute = interrupted
    with pytest.raises(KeyboardInterrupt):
        comparing(*words, "--output", "cut")
    cut = tmp_path / "cut" / "tiny" / "seed0"
    assert not json.loads((cut / "compare.json").read_text())["is_trained"]
    config = cut / "config.yaml"  # what the user gave is without what stopped it
    config.write_text((tmp_path / "whole" / "tiny" / "seed0" / "config.yaml").read_text())
    comparing.execute = execute
    assert comparing(*words, "--output", "cut")[0] == 0
    assert [words[0] for words in comparing.asked] == ["fit", "test"]
    assert comparing.asked[0][-2:] == ("--ckpt_path", "last")
    assert (cut / "test.csv").read_text() == (tmp_path / "whole" / "tiny" / "seed0" / "test.csv").read_text()
    assert comparing(*words, "--output", "cut")[0] == 0  # a resumed run is still one of these settings
    assert comparing.asked == []


def test_folds_cover_every_video_once(comparing: Compare, pair: list[object], tmp_path: Path) -> None:
    status, out = comparing(*pair[2:], "--output", "out", "--seeds", 0, "--num_folds", 2, "--max_epochs", 1)
    assert status == 0, out
    assert "[2/2] frame seed 0 fold 1: test done" in out
    assert table(tmp_path / "out")["frame"]["num_test_videos"] == "22"
    assert "2 folds pooled" in (tmp_path / "out" / "comparison.md").read_text()


def test_runs_made_by_hand_are_compared(comparing: Compare, run: Path, vidcls: Command, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing to compare yet: .+ not tested, left out: vidcls test --run"):
        comparing("--runs", "runs")
    assert vidcls("test", "--run", run).status == 0
    assert comparing("--runs", "runs")[0] == 0
    assert table(tmp_path / "runs")["tiny"]["training_seconds"] == ""


def test_flow_goes_to_the_models_that_see_it(comparing: Compare, pair: list[object], vidcls: Command) -> None:
    comparing.fails = "fit"
    with pytest.raises(ConfigurationError, match="none of these models sees flow"):
        comparing(*pair[2:], "--output", "out", "--flow", "store")
    comparing(*pair, "--output", "out", "--flow", "store", "--seeds", 0, "--max_minutes", 0.5, "--device", "cpu")
    with_flow = {words[words.index("--name") + 1]: "--data.flow" in words for words in comparing.asked}
    assert with_flow == {"tiny": True, "frame": False}
    for words in comparing.asked:
        assert words[words.index("--trainer.max_time") + 1] == '{"seconds": 30}'
        assert words[words.index("--trainer.accelerator") + 1] == "cpu"


def test_models_of_other_clips_are_refused_before_anything_is_trained(comparing: Compare, pair: list[object]) -> None:
    with pytest.raises(ConfigurationError, match=r"single_frame and tiny are not about the same clips.+--data FILE"):
        comparing("--config", "single_frame", *pair[:2], "--output", "out", "--max_epochs", 1)
    assert not Path("out").exists()


def test_models_of_another_budget_are_refused(comparing: Compare, pair: list[object]) -> None:
    other = Path("longer.yaml")
    other.write_text(Path(str(pair[1])).read_text().replace("max_epochs: 2", "max_epochs: 3"))
    with pytest.raises(ConfigurationError, match=r"trainer.max_epochs \(2, 3\).+--max_epochs N"):
        comparing(*pair, "--config", other, "--output", "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to compare: pass --config A"),
        (["--config", "single_frame"], "nothing to compare: pass --config A"),
        (["--config", "single_frame", "--config", "single_frame", "--output", "o"], "tell them apart with --names"),
        (["--config", "single_frame", "--names", "a", "b", "--output", "o"], "2 names for 1 configurations"),
        (["--config", "single_frame", "--names", "../a", "--output", "o"], "letters, digits"),
        (["--config", "no_such", "--output", "o"], "no shipped configuration of that name"),
        (
            ["--config", "single_frame", "--output", "o", "--model", "Conv3D"],
            "all configurations would become one model",
        ),
        (["--config", "single_frame", "--output", "o", "--model.depth", "3"], "SingleFrame takes backbone"),
        (["--config", "single_frame", "--output", "o", "--name", "x"], "--name: unknown option"),
        (["--config", "single_frame", "--output", "o", "--data.bach_size", "3"], "did you mean --data.batch_size"),
        (["--config", "single_frame", "--output", "o", "--seeds", "1", "1"], "different integers"),
        (["--config", "single_frame", "--output", "o", "--num_folds", "1"], "at least 2 folds"),
        (["--config", "single_frame", "--output", "o", "--num_folds", "5000"], "5000 folds need at least 5000 groups"),
        (["--config", "single_frame", "--output", "o", "--data.fold", "1"], "--num_folds N runs all folds"),
        (["--config", "single_frame", "--output", "o", "--max_minutes", "-1"], "not a number of minutes above 0"),
        (
            ["--config", "single_frame", "--output", "o", "--max_epochs", "1", "--trainer.max_epochs=2"],
            "--max_epochs and --trainer.max_epochs say the same",
        ),
        (["--runs", "no_such_folder"], "no such folder"),
        (["--runs", "."], "no run of vidcls fit lies here"),
        (["--runs", ".", "--seeds", "1"], "--seeds: has no effect beside --runs"),
        (["--runs", ".", "--data.fps", "1"], "--data.fps: has no effect beside --runs"),
    ],
)
def test_what_cannot_be_compared_is_one_line(vidcls: Command, words: list[str], message: str) -> None:
    assert message in vidcls("compare", *words).refusal()
    assert not list(Path().iterdir())


@pytest.mark.slow
def test_the_command_itself_runs_its_parts_in_processes_of_their_own(
    vidcls: Command, pair: list[object], tmp_path: Path
) -> None:
    outcome = vidcls("compare", *pair, "--output", "out", "--seeds", 0, "--max_epochs", 1)
    assert outcome.status == 0, outcome
    rows = table(tmp_path / "out")
    assert set(rows) == {"tiny", "frame"}
    assert int(rows["tiny"]["parameters"]) > int(rows["frame"]["parameters"])
    assert float(rows["frame"]["latency_ms"]) > 0
    assert rows["tiny"]["streams"] == "rgb+flow"
