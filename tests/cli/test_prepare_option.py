"""``fit --data.prepare``: a training on a small copy of its videos, and a test on the videos themselves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.copies.training_copy import CopyEstimate
from vidcls.datasets import VideoFolder
from vidcls.flow import FlowSettings
from vidcls.flow.precompute import precompute
from vidcls.jobs import InThisProcess
from vidcls.loading import training_copies
from vidcls.loading.data_wait import DataWait, StepSpeed
from vidcls.loading.training_copies import CopyGain, chosen_folder
from vidcls.runs.trainings import read_trainings

Command = Callable[..., object]
CLASSES = ("left", "right", "still")


@pytest.fixture(autouse=True)
def prepared(vidcls: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies go, in a cache of the test's own; they are made without processes."""
    monkeypatch.setattr(training_copies, "local_pool", lambda _: InThisProcess())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vidcls" / "prepared"


def scores(file: Path) -> dict[str, list[float]]:
    with file.open(newline="") as lines:
        return {
            Path(row["path"]).name + Path(row["path"]).parent.name: [float(row[f"p_{k}"]) for k in CLASSES]
            for row in csv.DictReader(lines)
        }


def test_a_training_on_a_copy_records_it_and_its_test_and_predictions_read_the_videos_themselves(
    vidcls: Command, tiny: Path, clip_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    resize = ("--data.transform.resize_px", 32)
    fit = vidcls("fit", "--config", tiny, *resize, "--data.prepare", "./small", "--run", "a", "--trainer.max_epochs", 1)
    assert fit.status == 0, fit
    assert "prepare: training on a copy of 15 videos (short side 32 px, " in caplog.text
    begun = caplog.text.index(f"prepare: copying 15 videos to {tmp_path / 'small'}")
    assert begun < caplog.text.index("prepare: training on a copy")
    (facts,) = read_trainings(Path("a"))
    assert facts["prepared"] == {
        "folder": str(tmp_path / "small"),
        "settings": {"short_side_px": 32, "quality": 3},
        "flow_settings": {"method": "dis", "bound_px": 20.0, "short_side_px": 32, "weights": None, "decoder": None},
    }
    assert len(list((tmp_path / "small/videos").rglob("*.jpeg.avi"))) == 15
    caplog.clear()
    test = vidcls("test", "--run", "a", "--ckpt_path", "best")
    assert test.status == 0, test
    assert "prepare:" not in caplog.text
    tested = scores(Path("a/test.csv"))
    assert len(tested) == 7
    predict = vidcls(
        "predict", "a", *sorted((clip_folder / "test").rglob("*.avi")), "--output", "p.csv", "--device", "cpu"
    )
    assert predict.status == 0, predict
    with Path("p.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            expected = tested[Path(row["path"]).name + Path(row["path"]).parent.name]
            assert [float(row[f"p_{k}"]) for k in CLASSES] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "atuo",
            "data.prepare: unknown value 'atuo': did you mean auto? pass auto, never, or a folder (a new one in the "
            "current folder: ./atuo)",
        ),
        ("always", "data.prepare: unknown value 'always': pass auto, never, or a folder"),
    ],
)
def test_a_word_that_is_no_folder_is_refused_and_nothing_is_copied(
    vidcls: Command, tiny: Path, tmp_path: Path, word: str, message: str
) -> None:
    assert message in vidcls("fit", "--config", tiny, "--data.prepare", word).refusal()
    assert [*tmp_path.iterdir()] == []
    (tmp_path / word).mkdir()
    assert chosen_folder(word) == tmp_path / word


@pytest.mark.parametrize(("after", "is_made"), [(1000.0, True), (10.5, False)])
def test_auto_makes_a_copy_where_it_saves_more_than_it_costs(
    vidcls: Command,
    tiny: Path,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    after: float,
    is_made: bool,
) -> None:
    before = DataWait(10.0, StepSpeed(500.0, 4, 0), 1, 2)
    gain = CopyGain(before, DataWait(after, before.step, 1, 2), CopyEstimate(1.5, 2e6))
    monkeypatch.setattr(training_copies, "expected_wait", lambda *_, **__: before)
    monkeypatch.setattr(training_copies, "copy_gain", lambda *_: gain)
    words = ("fit", "--config", tiny, "--data.prepare", "auto")
    outcome = vidcls(*words, "--run", "a")
    assert outcome.status == 0, outcome
    said = caplog.text
    assert "would wait for data about 98% of its time" in said
    assert ("prepare: no copy is made" in said) == (not is_made)
    assert ("prepare: training on a copy of 15 videos (own size" in said) == is_made
    assert prepared.exists() == is_made
    assert (read_trainings(Path("a"))[0]["prepared"] is not None) == is_made
    if is_made:
        monkeypatch.setattr(training_copies, "copy_lines", lambda *_, **__: pytest.fail("the copy already exists"))
        assert vidcls(*words, "--run", "b").status == 0


def test_without_the_option_nothing_is_copied_or_measured(
    vidcls: Command, tiny: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_copies, "expected_wait", lambda *_, **__: pytest.fail("nothing is measured"))
    assert vidcls("fit", "--config", tiny, "--run", "a", "--trainer.max_epochs", 1).status == 0
    assert not prepared.exists()
    assert read_trainings(Path("a"))[0]["prepared"] is None


def test_a_copy_and_stored_flow_and_a_folder_with_something_else_are_refused(
    vidcls: Command, tiny: Path, clip_folder: Path, tmp_path: Path
) -> None:
    precompute(VideoFolder(clip_folder).records[:1], Path("f"), FlowSettings(), pool=InThisProcess())
    refusal = vidcls("fit", "--config", tiny, "--data.flow", "f", "--data.prepare", "auto").refusal()
    assert "--data.prepare auto and --data.flow exclude each other" in refusal
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    refusal = vidcls("fit", "--config", tiny, "--data.prepare", "other").refusal()
    assert "is not empty and no prepared copy" in refusal


def test_a_stop_in_the_middle_leaves_a_copy_that_the_next_training_completes(
    vidcls: Command, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidcls.copies import preparation

    done: list[str] = []
    whole = preparation.prepare_video

    def stopped(folder: object, record: object) -> object:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(record.name)  # type: ignore[attr-defined]
        return whole(folder, record)  # type: ignore[arg-type]

    monkeypatch.setattr(preparation, "prepare_video", stopped)
    words = ("fit", "--config", tiny, "--data.prepare", "./small", "--trainer.max_epochs", 1)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        raise SystemExit(vidcls(*words).status)
    assert len(list((tmp_path / "small/videos").rglob("*.jpeg.avi"))) == 3
    made: list[str] = []
    monkeypatch.setattr(preparation, "prepare_video", lambda folder, r: (made.append(r.name), whole(folder, r))[1])
    assert vidcls(*words).status == 0
    assert len(made) == 12
    assert not set(made) & set(done)
