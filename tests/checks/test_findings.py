from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vidcls.checks.cache import CheckedVideo
from vidcls.checks.duplicates import duplicate_findings, group_findings
from vidcls.checks.finding import Finding
from vidcls.checks.findings import CheckedData, findings
from vidcls.checks.labels import imbalance, label_typos, lacking_classes
from vidcls.clips import InputSettings
from vidcls.flow import FlowStore
from vidcls.flow.precompute import store_video
from vidcls.flow.saturation import Saturation, SaturationTally
from vidcls.flow.settings import FlowSettings
from vidcls.flow.store_writer import FlowStoreWriter
from vidcls.types import ClipSettings, Split, VideoRecord
from vidcls.video import LocalFile, write_video
from vidcls.video.health import Health
from vidcls.video.sampling import ShortPolicy
from vidcls.video.source_identity import SourceIdentity

SOUND = Health(num_promised=20, num_frames=20, num_readable=20, fps=25.0, decoder="decord", stream_kinds=("video",))


def record(name: str, label: str = "walk", split: Split = "train", group: str | None = None) -> VideoRecord:
    return VideoRecord(source=LocalFile(Path("/videos") / name), label=label, split=split, name=name, group=group)


def data_of(healths: dict[str, Health], *, short_videos: ShortPolicy = "loop", **clip: int) -> CheckedData:
    """A heap of files of which this is known; each has content of its own where nothing is said of it."""
    records = [record(name) for name in healths]
    known = {
        r.source: CheckedVideo(9, 9, replace(h, digest=h.digest or r.name, content_digest=h.content_digest or r.name))
        for r, h in zip(records, healths.values(), strict=True)
    }
    settings = InputSettings(streams=("rgb",), clip=ClipSettings(**clip), short_videos=short_videos)
    return CheckedData(records, known, settings, has_labels=False)


def by_kind(found: Sequence[Finding]) -> dict[str, tuple[bool, tuple[str, ...]]]:
    return {finding.kind: (finding.is_problem, finding.lines) for finding in found}


def test_nothing_is_found_in_sound_files() -> None:
    assert findings(data_of({"a": SOUND, "b": SOUND}, clip_len=20)) == []


@pytest.mark.parametrize("fault", ["missing", "empty", "no video", "undecodable", "crash", "hang"])
def test_each_fault_of_a_file_is_a_problem_that_names_it_and_its_reason(fault: str) -> None:
    found = findings(data_of({"a": SOUND, "b": Health(fault, "for a reason")}))  # type: ignore[arg-type]
    assert by_kind(found) == {fault: (True, ("b: for a reason",))}
    assert found[0].title.startswith("1 video ")
    assert found[0].remedy


def test_what_can_be_seen_in_the_frames_is_a_problem_and_what_a_training_copes_with_is_not() -> None:
    damaged = replace(SOUND, fault="damaged", reason="frame 7 cannot be decoded", num_readable=7)
    healths = {
        "damaged": damaged,
        "cut": replace(SOUND, num_promised=50),
        "black": replace(SOUND, is_black=True, is_frozen=True),
        "frozen": replace(SOUND, is_frozen=True),
        "uneven": replace(SOUND, is_variable_rate=True),
        "turned": replace(SOUND, rotation=90),
        "slow": replace(SOUND, decoder="pyav"),
        "long": replace(SOUND, num_unread=12),
    }
    found = findings(data_of(healths))
    assert by_kind(found) == {
        "damaged": (True, ("damaged: 7 of 20 frames can be had; frame 7 cannot be decoded",)),
        "truncated": (True, ("cut: 20 frames of the 50 stated",)),
        "black": (True, ("black: 20 frames",)),
        "frozen": (True, ("frozen: 20 frames",)),
        "variable rate": (False, ("uneven: 25 frames per second on average",)),
        "rotated": (False, ("turned: 90 degrees",)),
        "fallback": (False, ("slow: pyav",)),
        "long": (False, ("long: 12 of 20 frames",)),
    }
    assert [finding.is_problem for finding in found] == [True] * 4 + [False] * 4


def test_a_video_shorter_than_a_clip_is_a_problem_where_such_videos_are_refused() -> None:
    healths = {"enough": replace(SOUND, num_frames=9, num_promised=9), "short": replace(SOUND, num_frames=8)}
    healths["short"] = replace(healths["short"], num_promised=8)
    for policy, is_problem in (("loop", False), ("error", True)):
        found = findings(data_of(healths, short_videos=policy, clip_len=5, stride=2))  # type: ignore[arg-type]
        assert by_kind(found) == {"short": (is_problem, ("short: 8 frames, a clip spans 9",))}


def test_a_clip_of_snippets_is_said_to_be_spread_over_the_video() -> None:
    several = InputSettings(streams=("rgb",), clip=ClipSettings(num_snippets=8, clip_len=1))
    assert several.span_text("1") == "a clip is 8 snippets of 1 frame, spread over the whole video"
    assert InputSettings(streams=("rgb",)).span_text("9") == "a clip spans 9"


def test_copies_are_worst_under_two_labels_and_worse_across_parts_than_within_one() -> None:
    records = [
        record("a", split="train"),
        record("a2", split="test"),
        record("b", "walk"),
        record("b2", "sit"),
        record("c"),
        record("c2"),
        record("z"),
    ]
    digests = {"a": "1", "a2": "1", "b": "2", "b2": "2", "c": "3", "c2": "4", "z": "5"}
    known = {
        r.source: CheckedVideo(9, 9, Health(digest=digests[r.name], content_digest=f"content of {r.name[0]}"))
        for r in records
    }
    found = list(duplicate_findings(records, known))
    assert by_kind(found) == {
        "two labels": (True, ("b (walk), b2 (sit)",)),
        "leak": (True, ("a (train), a2 (test)",)),
        "duplicate": (True, ("c, c2",)),  # the same frames in other bytes
    }
    assert [finding.kind for finding in found] == ["two labels", "leak", "duplicate"]


def test_a_group_in_two_parts_is_found_by_the_csv_and_by_the_file_names_of_ucf101() -> None:
    records = [
        record("x.mp4", group="anna"),
        record("y.mp4", split="test", group="anna"),
        record("z.mp4", group="ben"),
        record("YoYo/v_YoYo_g01_c01.avi"),
        record("YoYo/v_YoYo_g01_c02.avi", split="val"),
        record("YoYo/v_YoYo_g02_c01.avi", split="val"),
    ]
    assert by_kind(list(group_findings(records))) == {
        "spread group": (True, ("anna: train 1, val 0, test 1", "v_YoYo_g01: train 1, val 1, test 0"))
    }


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("walk", "wlak", "changed places"),
        ("walk", "Walk", "case"),
        ("sit_down", "sit down", "underscores"),
        ("juggling", "jugling", "one of them is rare"),
        ("wave1", "wave2", ""),
        ("throw ball 1", "throw ball 2", ""),
        ("stop", "spot", ""),
        ("sit", "sitdown", ""),
        ("PlayingDhol", "PlayingDaf", ""),
        ("from left to right", "from right to left", ""),
        ("standup", "sitdown", ""),
    ],
)
def test_two_labels_that_may_be_one_are_found_and_others_are_not(one: str, other: str, why: str) -> None:
    records = [*(record(f"{k}", one) for k in range(20)), record("x", other)]
    found = list(label_typos(records))
    assert [finding.kind for finding in found] == (["alike labels"] if why else [])
    if why:
        assert why in found[0].lines[0]


def test_two_classes_of_many_videos_are_not_one_for_being_nearly_alike() -> None:
    records = [record(f"{label}{k}", label) for label in ("juggling", "jugling") for k in range(20)]
    assert list(label_typos(records)) == []


def test_missing_classes_are_a_problem_and_uneven_ones_are_good_to_know() -> None:
    records = [record(f"w{k}", "walk") for k in range(10)] + [record("s", "sit"), record("t", "walk", "test")]
    assert by_kind(list(lacking_classes(records))) == {
        "lacking class": (True, ("val: has no video at all", "test: sit"))
    }
    assert by_kind(list(imbalance(records))) == {"uneven classes": (False, ("walk has 10 training videos, sit 1",))}
    assert list(imbalance(records[1:])) == []


def test_flow_that_is_missing_or_of_another_file_or_too_short_is_found_without_opening_a_video(tmp_path: Path) -> None:
    settings = FlowSettings("dis", short_side_px=32)
    writer = FlowStoreWriter.open(tmp_path / "flow", settings)
    frames = (torch.arange(6 * 3 * 40 * 48).reshape(6, 3, 40, 48) % 251).to(torch.uint8)
    known, records = {}, []
    for name in ("good", "none", "stale", "short"):
        path = tmp_path / f"{name}.avi"
        write_video(path, frames, codec="mjpeg")
        found = VideoRecord(source=LocalFile(path), label="", split="train", name=path.name)
        records.append(found)
        if name != "none":
            store_video(writer, found)
        identity = SourceIdentity.of(path)
        num_frames = 7 if name == "short" else 6
        health = replace(SOUND, num_frames=num_frames, num_promised=num_frames, digest=name, content_digest=name)
        digest = "another" if name == "stale" else identity.digest
        known[LocalFile(path)] = CheckedVideo(identity.num_bytes, 1, health, digest)
    flow_settings = InputSettings(streams=("flow",), clip=ClipSettings(flow_len=2), flow_settings=settings)
    data = CheckedData(records, known, flow_settings, FlowStore(tmp_path / "flow"), has_labels=False)
    for listed in records:
        listed.path.unlink()  # so that nothing can be opened
    assert by_kind(findings(data)) == {
        "flow missing": (True, (f"none.avi: there is no {tmp_path}/flow/none.avi.flow",)),
        "flow stale": (
            True,
            (
                "stale.avi: it was made from another file than lies there now",
                "short.avi: it has 5 fields, the 7 frames need 6",
            ),
        ),
    }


@pytest.mark.parametrize(
    ("cut_values", "shares", "is_problem"),
    [((0, 0), [], None), ((0, 5), ["0.5 %"], False), ((300, 5), ["30 %", "0.5 %"], True)],
)
def test_flow_that_the_bound_cut_is_told_by_video_and_is_a_problem_where_it_is_more_than_a_hundredth_of_all(
    tmp_path: Path, cut_values: tuple[int, ...], shares: list[str], is_problem: bool | None
) -> None:
    settings = FlowSettings("dis")
    writer = FlowStoreWriter.open(tmp_path / "flow", settings)
    known, records = {}, []
    for k, num_cut in enumerate(cut_values):
        path = tmp_path / f"{k}.avi"
        path.write_bytes(bytes([k]) * 9)
        records.append(VideoRecord(source=LocalFile(path), label="", split="train", name=path.name))
        tally = SaturationTally()
        tally.add(Saturation(1000, num_cut, (0, num_cut) if num_cut else ()))
        writer.write(
            records[-1], torch.full((1, 2, 5, 100), 128, dtype=torch.uint8), height_px=5, width_px=100, tally=tally
        )
        identity = SourceIdentity.of(path)
        health = replace(SOUND, num_frames=2, num_promised=2, digest=str(k), content_digest=str(k))
        known[LocalFile(path)] = CheckedVideo(identity.num_bytes, 1, health, identity.digest)
    flow_settings = InputSettings(streams=("flow",), clip=ClipSettings(flow_len=1), flow_settings=settings)
    data = CheckedData(records, known, flow_settings, FlowStore(tmp_path / "flow"), has_labels=False)
    found = findings(data)
    advice = "; a bound of 22 px would hold 99.9 %"
    lines = [f"{share} of the flow values are beyond the bound of 20 px{advice}" for share in shares]
    assert [line.partition(": ")[2] for finding in found for line in finding.lines] == lines
    if is_problem is not None:
        assert (found[0].kind, found[0].is_problem) == ("flow cut", is_problem)
        assert f"({'15 %' if is_problem else '0.25 %'} of all flow)" in found[0].title
        assert found[0].remedy.endswith("run scripts/precompute_flow.py again with a bound of 22 px or more")
