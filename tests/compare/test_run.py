"""What is there is not done again, what was stopped goes on, and what fails says why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from vidcls.compare.plan import PlannedRun, planned_runs
from vidcls.compare.run import execute_command, read_record, steps, take
from vidcls.errors import ConfigurationError


class Vidcls:
    """Stands for the command: notes what it was asked, and does what a training or a test would leave behind."""

    def __init__(self, status: int = 0, says: str = "fine\n", leaves: Sequence[str] = ()) -> None:
        self.status, self.says, self.leaves = status, says, leaves
        self.asked: list[Sequence[str]] = []

    def __call__(self, words: Sequence[str], log: Path) -> int:
        self.asked.append(words)
        folder = Path(words[words.index("--run") + 1])
        assert words[0] != "fit" or "--ckpt_path" in words or not folder.exists() or not list(folder.iterdir())
        log.write_text(self.says)
        for name in self.leaves:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("")
        if words[0] == "test" and self.status == 0:
            (folder / "test.json").write_text(json.dumps({"checkpoint": f"x/{words[-1]}.ckpt"}))
        return self.status


TRAINED = ("config.yaml", "metrics.csv", "checkpoints/last.ckpt", "checkpoints/best.ckpt")


@pytest.fixture
def run(tmp_path: Path) -> PlannedRun:
    return planned_runs({"a": ["--config", "a.yaml"]}, tmp_path, seeds=[3], num_folds=None)[0]


def test_every_model_meets_every_seed_and_fold_and_models_take_turns(tmp_path: Path) -> None:
    plan = planned_runs({"a": ["--config", "x"], "b": ["--config", "y"]}, tmp_path, seeds=[0, 7], num_folds=2)
    assert [run.title for run in plan[:4]] == [
        "a seed 0 fold 0",
        "b seed 0 fold 0",
        "a seed 0 fold 1",
        "b seed 0 fold 1",
    ]
    assert len(plan) == 8
    assert plan[-1].folder == tmp_path / "b" / "seed7_fold1"
    assert " ".join(plan[-1].arguments) == (
        f"--config y --data.num_folds 2 --data.fold 1 --seed_everything 7 --name b --run {plan[-1].folder}"
    )


def test_a_run_is_trained_tested_and_then_there(run: PlannedRun) -> None:
    train, test = steps(run, "best")
    vidcls = Vidcls(leaves=TRAINED)
    assert take(train, run, vidcls) is None
    assert [step.title for step in steps(run, "best")] == ["test"]
    assert take(test, run, vidcls) is None
    assert vidcls.asked == [("fit", *run.arguments), ("test", "--run", str(run.folder), "--ckpt_path", "best")]
    assert steps(run, "best") == []
    assert (run.folder / "fit.log").read_text() == "fine\n"
    assert (run.folder / "test.log").read_text() == "fine\n"
    assert [path.name for path in run.folder.parent.iterdir()] == ["seed3"]


def test_another_checkpoint_is_tested_without_training_again(run: PlannedRun) -> None:
    for step in steps(run, "best"):
        take(step, run, Vidcls(leaves=TRAINED))
    assert [step.command for step in steps(run, "last")] == [("test", "--run", str(run.folder), "--ckpt_path", "last")]


def test_an_interrupted_training_goes_on_and_its_time_adds_up(run: PlannedRun) -> None:
    class Stopped(Vidcls):
        def __call__(self, words: Sequence[str], log: Path) -> int:
            super().__call__(words, log)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(steps(run, "best")[0], run, Stopped(says="first\n", leaves=TRAINED))
    assert not read_record(run.folder).is_trained
    (run.folder / "compare.json").write_text('{"is_trained": false, "train_seconds": 100.0}')
    go_on, _ = steps(run, "best")
    assert go_on.command == ("fit", "--run", str(run.folder), "--ckpt_path", "last")
    take(go_on, run, Vidcls(says="second\n"))
    assert read_record(run.folder).is_trained
    assert 100 <= read_record(run.folder).train_seconds < 110
    assert (run.folder / "fit.log").read_text() == "first\nsecond\n"


def test_a_command_that_was_itself_interrupted_stops_all(run: PlannedRun) -> None:
    with pytest.raises(KeyboardInterrupt):
        take(steps(run, "best")[0], run, Vidcls(status=130))


def test_a_start_that_left_no_checkpoint_is_begun_anew(run: PlannedRun) -> None:
    take(steps(run, "best")[0], run, Vidcls(status=1, leaves=("config.yaml", "metrics.csv")))
    assert (run.folder / "fit.log").is_file()
    train, _ = steps(run, "best")
    assert train.title == "train"
    assert take(train, run, Vidcls(leaves=TRAINED)) is None


def test_a_folder_with_other_things_is_left_alone(run: PlannedRun) -> None:
    run.folder.mkdir(parents=True)
    (run.folder / "thesis.tex").write_text("")
    with pytest.raises(ConfigurationError, match=r"holds thesis\.tex: move it away"):
        steps(run, "best")


@pytest.mark.parametrize(
    ("says", "status", "expected"),
    [
        ("vidcls: error: no such video\nwarning: later\n", 2, "no such video"),
        ("Traceback ...\nRuntimeError: odd shapes\n", 1, "RuntimeError: odd shapes"),
        ("", 1, "exit status 1"),
        ("Epoch 3\n", -9, "ended by signal 9 (out of memory?)"),
    ],
)
def test_a_failure_is_told_by_its_last_error(run: PlannedRun, says: str, status: int, expected: str) -> None:
    assert take(steps(run, "best")[0], run, Vidcls(status=status, says=says)) == expected
    assert run.folder.with_name("seed3.fit.log").read_text() == says


def test_a_command_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert execute_command(["--version"], tmp_path / "log") == 0
    assert (tmp_path / "log").read_text().strip().count(".") == 2
    assert execute_command(["no-such-command"], tmp_path / "log") == 2
    assert "vidcls: error: unknown command" in (tmp_path / "log").read_text()
