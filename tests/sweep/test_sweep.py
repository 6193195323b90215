"""Trials whose trainings are played: what is stopped, counted, resumed, kept and tested, without a network."""

from __future__ import annotations

import csv
import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the extra sweep")

from vidcls.errors import ConfigurationError
from vidcls.sweep.space import Choice, Range
from vidcls.sweep.study import Study
from vidcls.sweep.sweep import Sweep, SweepSettings
from vidcls.sweep.trial import Objective, TrialPlan, Watch

NUM_EPOCHS = 6
SPACE = {"model.lr": Range(1e-4, 1.0, log=True), "model.kind": Choice(("good", "bad"))}


def accuracy(lr: float, kind: str, epoch: int) -> float:
    """Best at lr 0.01 and with ``good``."""
    return (0.9 - 0.1 * abs(math.log10(lr) + 2) - (0.3 if kind == "bad" else 0.0)) * (epoch + 1) / NUM_EPOCHS


class Played:
    """Commands that write what a training would; ``fails`` says which do not."""

    def __init__(self, fails: Callable[[float, str], bool] = lambda lr, kind: False) -> None:
        self.commands: list[list[str]] = []
        self.epochs: list[int] = []
        self.fails = fails
        self.most_at_once = 0
        self._now, self._lock = 0, threading.Lock()

    def __call__(self, words: Sequence[str], log: Path, watch: Watch) -> int:
        self.commands.append(list(words))
        run = Path(words[words.index("--run") + 1])
        if words[0] == "test":
            log.write_text("test on 4 videos\ntop-1 50.0 %\n")
            (run / "test.json").write_text("{}")
            return 0
        with self._lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            return self._fit(words, run, log, watch)
        finally:
            with self._lock:
                self._now -= 1

    def _fit(self, words: Sequence[str], run: Path, log: Path, watch: Watch) -> int:
        given = dict(word.lstrip("-").split("=", 1) for word in words if "=" in word)
        lr, kind = float(given["model.lr"]), given["model.kind"]
        if self.fails(lr, kind):
            log.write_text("Traceback\nvidcls: error: the training diverged\n")
            return 2
        (run / "checkpoints").mkdir(parents=True)
        (run / "checkpoints" / "best.ckpt").write_text(f"{lr} {kind}")
        fold = int(words[words.index("--data.val_fold") + 1]) if "--data.val_fold" in words else 0
        num_epochs, status = 0, 0
        with (run / "metrics.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["step", "epoch", "val/top1"])
            for epoch in range(NUM_EPOCHS):
                table.writerow([epoch, epoch, accuracy(lr, kind, epoch) + 0.01 * fold])
                file.flush()
                num_epochs += 1
                if watch():
                    status = 143
                    break
        self.epochs.append(num_epochs)
        return status


def sweep(folder: Path, played: Played, num_trials: int, **settings: object) -> tuple[Sweep, list[str]]:
    folder.mkdir(exist_ok=True)
    num_folds = settings.pop("num_folds", None)
    pruner = settings.pop("pruner", "none")
    study = Study(folder / "sweep.db", SPACE, maximises=True, pruner=pruner, num_steps=NUM_EPOCHS)  # type: ignore[arg-type]
    plan = TrialPlan(("--config", "x"), folder / "trials", Objective("val/top1", True), num_folds, "swept")  # type: ignore[arg-type]
    said: list[str] = []
    made = Sweep(
        folder,
        study,
        SPACE,
        plan,
        SweepSettings(num_trials, **settings),
        execute=played,
        say=said.append,  # type: ignore[arg-type]
    )
    return made, said


def test_the_best_is_found_kept_and_tested_once_and_a_second_start_goes_on(tmp_path: Path) -> None:
    played = Played()
    first, said = sweep(tmp_path / "s", played, 6)
    trials = first.run()
    assert len(trials) == 6
    best = max(trials, key=lambda trial: trial.value or 0)
    assert best.value == pytest.approx(accuracy(best.values["model.lr"], best.values["model.kind"], NUM_EPOCHS - 1))  # type: ignore[arg-type]
    assert best.values["model.kind"] == "good"
    kept = {file.parent.parent.name for file in (tmp_path / "s" / "trials").rglob("best.ckpt")}
    assert kept == {f"{best.number:04d}"}
    assert len([*(tmp_path / "s" / "trials").rglob("metrics.csv")]) == 6
    winner = (tmp_path / "s" / "winner" / "checkpoints" / "best.ckpt").read_text()
    assert winner == f"{best.values['model.lr']} {best.values['model.kind']}"
    assert [words[0] for words in played.commands].count("test") == 1
    assert any("left" in line and "[3/6]" in line for line in said)
    begun = [line for line in said if line.startswith("trial ") and " begins: " in line]
    assert [line.split()[1] for line in begun] == list("012345")
    assert all("lr " in line and "trials/" in line for line in begun)
    assert "top-1 50.0 %" in said
    rows = [*csv.DictReader((tmp_path / "s" / "sweep.csv").read_text().splitlines())]
    assert {row["model.kind"] for row in rows} == {"good", "bad"}
    assert (tmp_path / "s" / "sweep.png").stat().st_size > 1000
    shares = {
        row["option"]: float(row["importance"])
        for row in csv.DictReader((tmp_path / "s" / "importances.csv").read_text().splitlines())
    }
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)

    again, said = sweep(tmp_path / "s", played, 6)  # nothing is left to do
    before = len(played.commands)
    assert again.run() == trials
    assert len(played.commands) == before
    more, said = sweep(tmp_path / "s", played, 8)
    assert len(more.run()) == 8
    tried = [tuple(trial.values.values()) for trial in more.study.trials]
    assert len(set(tried)) == 8  # a new sampler with the same seed would repeat the first four
    if more.study.best != first.study.best:
        assert any("scored before" in line for line in said)


def test_the_median_stops_what_is_worse_and_its_epochs_are_saved(tmp_path: Path) -> None:
    played = Played()
    made, _ = sweep(tmp_path / "s", played, 14, pruner="median")
    trials = made.run()
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert pruned
    assert sum(played.epochs) < 14 * NUM_EPOCHS
    assert all(trial.value is not None and trial.value < (made.study.best.value or 0) for trial in pruned)  # type: ignore[union-attr]


def test_a_trial_that_fails_is_counted_and_named_and_where_all_fail_nothing_is_tested(tmp_path: Path) -> None:
    some, said = sweep(tmp_path / "some", Played(fails=lambda lr, kind: kind == "bad"), 6)
    failed = [trial for trial in some.run() if trial.state == "failed"]
    assert failed
    assert {trial.error for trial in failed} == {"the training diverged"}
    assert any("failed: the training diverged" in line for line in said)
    played = Played(fails=lambda lr, kind: True)
    none, _ = sweep(tmp_path / "none", played, 3)
    with pytest.raises(ConfigurationError, match=r"none of 3 trials .* diverged"):
        none.run()
    assert {words[0] for words in played.commands} == {"fit"}


def test_folds_are_averaged_and_the_winner_is_trained_once_without_them(tmp_path: Path) -> None:
    played = Played()
    made, _ = sweep(tmp_path / "s", played, 3, num_folds=3)
    trials = made.run()
    for trial in trials:
        one = accuracy(trial.values["model.lr"], trial.values["model.kind"], NUM_EPOCHS - 1)  # type: ignore[arg-type]
        assert trial.value == pytest.approx(one + 0.01)
    fits = [words for words in played.commands if words[0] == "fit"]
    assert len(fits) == 3 * 3 + 1
    assert "--data.val_fold" not in fits[-1]
    assert fits[-1][fits[-1].index("--run") + 1] == str(tmp_path / "s" / "winner")


def test_several_run_at_once_and_one_that_was_interrupted_is_tried_again(tmp_path: Path) -> None:
    played, barrier = Played(), threading.Barrier(2, timeout=30)
    fit = played._fit

    def together(*arguments: object) -> int:
        if len(played.commands) <= 2:
            barrier.wait()  # breaks where the second does not come while the first runs
        return fit(*arguments)  # type: ignore[arg-type]

    played._fit = together  # type: ignore[method-assign,assignment]
    made, _ = sweep(tmp_path / "s", played, 4, num_processes=2)
    assert len(made.run()) == 4
    assert played.most_at_once == 2

    number, values = made.study.ask()  # and then the process is killed
    later, _ = sweep(tmp_path / "s", played, 5)
    trials = later.run()
    assert len(trials) == 5
    assert trials[-1].values == values
    assert trials[-1].number != number


def test_another_space_in_the_same_database_is_one_line(tmp_path: Path) -> None:
    Study(tmp_path / "sweep.db", SPACE, maximises=True).ask()
    with pytest.raises(ConfigurationError, match="pass the same space"):
        Study(tmp_path / "sweep.db", {"model.other": Range(0.0, 1.0)}, maximises=True)
    (tmp_path / "broken.db").write_text("no database at all, but long enough to be looked at")
    with pytest.raises(ConfigurationError, match="cannot be used as the database"):
        Study(tmp_path / "broken.db", SPACE, maximises=True)
