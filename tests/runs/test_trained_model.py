"""What names a trained model: best, last, the runs of a name, a run, a file."""

from __future__ import annotations

import logging
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from vidcls.errors import CheckpointError
from vidcls.folder_lock import LOCK_FILE, FolderLock
from vidcls.runs.folder import BEST, LAST, checkpoint_in
from vidcls.runs.trained_model import checkpoint_of, holds_runs, newest_run, run_in, run_named, run_of


def trained_run(root: Path, name: str, time: str, *checkpoints: str) -> Path:
    run = root / name / time
    (run / "checkpoints").mkdir(parents=True)
    for checkpoint in checkpoints:
        (run / "checkpoints" / f"{checkpoint}.ckpt").write_text("")
    (run / "config.yaml").write_text("")
    return run


def test_the_newest_training_of_a_name_is_found_and_an_older_one_never_in_its_place(tmp_path: Path) -> None:
    older = trained_run(tmp_path, "a", "2026-11-20_10-00-00", BEST, LAST)
    newer = trained_run(tmp_path, "b", "2026-11-20_10-00-01", LAST)
    assert newest_run(tmp_path, None, having=LAST) == newer
    assert newest_run(tmp_path, "a", having=LAST) == older
    with pytest.raises(CheckpointError, match=r"the newest run here has no checkpoint best\.ckpt"):
        newest_run(tmp_path, None, having=BEST)
    with pytest.raises(CheckpointError, match="train first"):
        newest_run(tmp_path, "c", having=LAST)


@pytest.mark.parametrize("is_training", [True, False])
def test_the_newest_run_without_a_checkpoint_says_why_and_the_newest_that_has_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_training: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    trained_run(Path("runs"), "a", "2026-11-20_10-00-00", BEST, LAST)
    older = trained_run(Path("runs"), "b", "2026-11-20_10-00-01", BEST, LAST)
    newest = trained_run(Path("runs"), "b", "2026-11-20_10-00-02")
    (newest / LOCK_FILE).touch()  # as a crash leaves it
    why = "it is still training" if is_training else "it was stopped before its first epoch ended"
    with FolderLock(newest) if is_training else nullcontext():
        for wanted in ("best", "last", "runs", "runs/b"):
            with pytest.raises(CheckpointError) as refused:
                checkpoint_of(wanted)
            assert f"{newest}: the newest run here has no checkpoint" in str(refused.value)
            assert f"{why}; pass {older}, the newest that has one" in str(refused.value)
        with pytest.raises(CheckpointError, match=f"{newest}: this run has no checkpoint last.ckpt: {why}"):
            checkpoint_of(newest, of_folder=LAST)


def test_what_cannot_be_continued_is_to_be_trained_again(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "a", "2026-11-20_10-00-00")
    expected = "before its first epoch ended, so that there is nothing to continue or use: train again$"
    with pytest.raises(CheckpointError, match=expected):
        checkpoint_of("last", run=run)


def test_a_checkpoint_is_found_by_word_and_by_path_and_knows_its_run(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "a", "2026-11-20_10-00-00", BEST)
    best = checkpoint_in(run, BEST)
    assert checkpoint_of("best", root=tmp_path, name="a", run=None) == best
    assert checkpoint_of(str(best), root=Path("elsewhere"), name=None, run=None) == best
    assert run_of(best) == run
    assert run_of(tmp_path / "best.ckpt") is None
    with pytest.raises(
        CheckpointError, match=r"this run has no checkpoint last\.ckpt: it has checkpoints/best\.ckpt: pa"
    ):
        checkpoint_of("last", root=tmp_path, name="a", run=run)
    with pytest.raises(CheckpointError, match=r"is .* the folder of a run"):
        checkpoint_of("last", root=tmp_path, name="a", run=tmp_path)
    with pytest.raises(
        CheckpointError, match="no such file or folder: pass best, last, runs/NAME, the folder of a run or"
    ):
        checkpoint_of("worst", root=tmp_path, name="a", run=run)


def test_every_name_of_a_trained_model_means_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    older = trained_run(Path("runs"), "a", "2026-11-20_10-00-00", BEST, LAST)
    newer = trained_run(Path("runs"), "b", "2026-11-20_10-00-01", BEST, LAST)
    with caplog.at_level(logging.INFO, "vidcls"):
        for wanted, run, stem in (
            ("best", newer, BEST),
            ("last", newer, LAST),
            ("runs", newer, BEST),
            ("runs/a", older, BEST),
            ("runs/a/", older, BEST),
        ):
            caplog.clear()
            assert checkpoint_of(wanted) == checkpoint_in(run, stem), wanted
            assert f"using {run}, the newest training in" in caplog.text, wanted
            assert run_named(wanted) == run, wanted
        caplog.clear()
        for wanted in (older, older / "checkpoints", checkpoint_in(older, BEST)):
            assert checkpoint_of(wanted) == checkpoint_in(older, BEST), wanted
        assert checkpoint_of(older, of_folder=LAST) == checkpoint_in(older, LAST)
        assert run_named(older) == older
        assert run_named(checkpoint_in(older, BEST)) == older.resolve()
        assert not caplog.text  # where there is no choice there is nothing to say


def test_a_run_folder_of_any_name_counts_by_its_start(tmp_path: Path) -> None:
    named = trained_run(tmp_path, "a", "2026-11-20_10-00-00", BEST).parent
    own = trained_run(tmp_path, "", "mine", BEST)
    os.utime(own / "config.yaml", (0, 0))
    assert run_in(tmp_path, having=BEST).parent == named
    os.utime(own / "config.yaml", (4e9, 4e9))
    assert run_in(tmp_path, having=BEST) == own
    assert (holds_runs(tmp_path), holds_runs(named), holds_runs(own), holds_runs(tmp_path / "gone")) == (
        True,
        True,
        False,
        False,
    )


def test_what_names_no_trained_model_says_what_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained_run(Path("runs"), "two_stream", "2026-11-20_10-00-00", LAST)
    Path("empty").mkdir()
    for wanted, message in (
        ("two_stream", r"two_stream: no such file or folder: did you mean runs/two_stream\? pass best, last"),
        ("gone", "gone: no such file or folder: pass best, last, runs/NAME, the folder of a run or a checkpoint file"),
        ("best", r"the newest run here has no checkpoint best\.ckpt"),
        ("runs/two_stream/2026-11-20_10-00-00", r"no checkpoint best\.ckpt: it has checkpoints/last\.ckpt: pass best"),
        ("empty", "empty: no run here has a checkpoint best.ckpt: train first"),
    ):
        with pytest.raises(CheckpointError, match=message):
            checkpoint_of(wanted)
    with pytest.raises(CheckpointError, match="gone: no such folder: pass best, last"):
        run_named("gone")
