"""What writes files, killed at any moment: nothing half-written counts, and the same command again ends the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from vidcls.artifacts.writers import Writers
from vidcls.copies.prepared_folder import PreparedFolder, PrepareSettings
from vidcls.datasets import VideoCsv, VideoFolder
from vidcls.datasets.written_folder import is_whole
from vidcls.errors import FlowError
from vidcls.flow import FlowStore
from vidcls.video import open_video

Accepted = dict[str, bytes]
MOST_KILLS = 6  # in a row, then it may end


@dataclass(frozen=True)
class Writing:
    """One thing that writes files.

    Args:
        job: of the server of children.
        words: its arguments.
        accepted: what an ordinary reader takes for whole in the folder, with its bytes.
        leftovers: names of what kills may leave, which nobody reads.
    """

    job: str
    words: tuple[object, ...]
    accepted: Callable[[Path], Accepted]
    leftovers: str = ".nothing"


@pytest.fixture
def writings(clip_folder: Path, tmp_path: Path) -> dict[str, Writing]:
    few = tmp_path / "few"
    shutil.copytree(clip_folder / "test", few / "test")
    shutil.copytree(clip_folder / "val", few / "val")
    shutil.copytree(clip_folder / "val", few / "train")
    return {
        "flow": Writing(
            "vidcls", ("flow", "--folder", few, "--output", "flow", "--method", "dis"), _flow(few), ".manifest-*.json"
        ),
        "prepare": Writing("vidcls", ("data", "prepare", few, "small", "--short_side", 24), _prepared(few)),
        "shapes": Writing("shapes", (".",), _shapes, ".*-*"),
    }


def _flow(videos: Path) -> Callable[[Path], Accepted]:
    def accepted(folder: Path) -> Accepted:
        try:
            store = FlowStore(folder / "flow")
        except FlowError:
            return {}
        found = {}
        for record in VideoFolder(videos).records:
            try:
                store.fields(record, range(store.num_fields(record)))
            except FlowError:
                continue
            found[record.name] = store.path_of(record).read_bytes()
        return found

    return accepted


def _prepared(videos: Path) -> Callable[[Path], Accepted]:
    def accepted(folder: Path) -> Accepted:
        root = folder / "small"
        if (root / "clips.csv").is_file():
            for record in VideoCsv(root / "clips.csv").records:
                with open_video(record.path) as video:
                    video.frames(range(video.num_frames))
        if not (root / "manifest.json").is_file():
            return {}
        shutil.copytree(root, folder / "looked at")  # opening it removes what a kill left
        records = VideoFolder(videos).records
        looked_at = PreparedFolder.open(
            folder / "looked at", PrepareSettings(24), records, Writers(folder / "looked at")
        )
        found = {r.name: looked_at.copy_of(r.name).read_bytes() for r in records if looked_at.current(r) is not None}
        shutil.rmtree(folder / "looked at")
        return found

    return accepted


def _shapes(folder: Path) -> Accepted:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for written in folder.glob("[!.]*")
        if is_whole(written)
        for file in sorted(written.rglob("*"))
        if file.is_file()
    }


def tree(folder: Path, leftovers: str) -> Accepted:
    """All files below a folder but those that a kill may leave."""
    left = {path for root in (folder, *folder.glob("*/")) for path in root.glob(leftovers)}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not left.intersection((path, *path.parents))
    }


def faults_found(
    children: Any, kills: Any, writing: Writing, folder: Path, least_kills: int, **given: Any
) -> list[str]:
    """Kill it until it is done, again and again; what a reader took for whole and was not."""
    (folder / "whole").mkdir(parents=True)
    undisturbed = children.run(folder / "whole", *writing.words, job=writing.job, in_process=True)
    assert undisturbed.status == 0, undisturbed.output
    whole = writing.accepted(folder / "whole")
    assert whole
    found = [f"not flushed: {name}" for name in undisturbed.unflushed(folder / "whole")]
    is_planted, row = "faults" in given, 0  # then one find is enough
    while kills.num_kills < least_kills and not (found and is_planted):
        row += 1
        place = folder / f"killed{row}"
        place.mkdir()
        halves: list[str] = []
        for number in range(MOST_KILLS + 1):
            aim = kills.aim(undisturbed.changes) if number < MOST_KILLS else None
            ended = children.run(place, *writing.words, job=writing.job, aim=aim, **given)
            if not ended.was_killed:
                break
            kills.places[ended.place] += 1
            halves += _halves(writing, place, whole)
        ends = [] if ended.status == 0 else [f"ended with {ended.status}: {ended.output[-500:]}"]
        ours, theirs = (tree(path, writing.leftovers) for path in (place, folder / "whole"))
        ends += [f"another end: {name}" for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)]
        found += halves + ends
        kills.settle(is_lost=bool(halves or ends))
    return found


def _halves(writing: Writing, place: Path, whole: Accepted) -> list[str]:
    try:
        accepted = writing.accepted(place)
    except Exception as error:  # noqa: BLE001 - whatever a reader stumbles over is a fault of the writer
        return [f"half-written: {error!r}"]
    return [f"half-written: {name}" for name, content in accepted.items() if whole.get(name) != content]


@pytest.mark.parametrize("name", ["flow", "prepare", "shapes"])
def test_a_killed_writer_leaves_nothing_half_written_and_ends_the_same(
    children: Any,
    kills: Callable[[int], Any],
    writings: dict[str, Writing],
    tmp_path: Path,
    is_full: bool,
    tally: Callable[..., None],
    name: str,
) -> None:
    counted = kills(50)
    found = faults_found(children, counted, writings[name], tmp_path / "work", 60 if is_full else 3)
    tally(f"kill -9 of {name}", recovered=counted.recovered, lost=counted.lost, note=counted.note())
    assert not found
    if is_full:
        assert counted.num_inside >= counted.num_kills / 3, counted.note()


def test_workers_of_a_killed_flow_leave_nothing_half_written_either(
    children: Any,
    kills: Callable[[int], Any],
    writings: dict[str, Writing],
    tmp_path: Path,
    is_full: bool,
    tally: Callable[..., None],
) -> None:
    if not is_full:
        pytest.skip("the full form alone: each start of workers takes seconds (make torture)")
    counted, flow = kills(51), writings["flow"]
    flow = replace(flow, words=(*flow.words[:-1], "tvl1"))  # takes long enough to be killed at it
    work, aim, partly_done = tmp_path / "work", type(counted.aim(1)), []

    def num_written() -> int:
        """Files in the store that is being written."""
        store = max(work.glob("killed*"), key=lambda folder: int(folder.name.removeprefix("killed")))
        return sum(1 for _ in store.rglob("*.flow"))

    def at_some_file(_: int) -> Any:
        """A moment at random after one of the next files."""
        wanted = num_written() + counted.random.randint(1, 3)
        return aim(0, counted.random.uniform(0, 0.02), is_time=lambda: num_written() >= wanted)

    counted.aim = at_some_file

    def accepted(folder: Path) -> Accepted:
        found = flow.accepted(folder)
        partly_done.append(len(found))
        return found

    watched = replace(flow, accepted=accepted)
    found = faults_found(children, counted, watched, work, 15, in_process=False)
    tally("kill -9 of flow, with workers", recovered=counted.recovered, lost=counted.lost, note=counted.note())
    assert not found
    assert any(0 < number < max(partly_done) for number in partly_done), "no kill fell while the workers worked"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fault"),
    [("flow", "takes_any_flow_for_whole"), ("prepare", "never_cleans_up"), ("shapes", "takes_any_folder_for_whole")],
)
def test_the_harness_catches_a_writer_that(
    children: Any, kills: Callable[[int], Any], writings: dict[str, Writing], tmp_path: Path, name: str, fault: str
) -> None:
    assert faults_found(children, kills(62), writings[name], tmp_path / "work", 40, faults=(fault,))
