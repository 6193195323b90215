"""Parts of videos on their way through a training: loading, stored flow, copies, features, checks, tests and pages.

The videos show frames 0 to 9 in 2 s and frames 10 to 29 in 1 s, so that a part of frames of an even rate would be
another one.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from factories import video_data
from lightning.pytorch import Trainer
from small_features import computed
from torch import Tensor

from vidcls.callbacks import ResultFiles
from vidcls.checks.cache import CheckCache
from vidcls.checks.files import check_files
from vidcls.checks.findings import CheckedData, findings
from vidcls.checks.fix_list import fix_list, write_fix_list
from vidcls.clips.reader import ClipReader
from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PrepareSettings
from vidcls.copies.training_copy import TrainingCopy
from vidcls.datasets import VideoCsv
from vidcls.flow import FlowSettings, FlowStore
from vidcls.flow.precompute import precompute, verify
from vidcls.jobs import InThisProcess
from vidcls.models import SingleFrame
from vidcls.predict import Predictor
from vidcls.report.data_page import thumbnails
from vidcls.report.video_facts import VideoFacts
from vidcls.runs.score_files import read_scores
from vidcls.types import ClipSettings
from vidcls.video_part import VideoPart

POOL = InThisProcess()
SECONDS = [0.2 * i for i in range(10)] + [2 + 0.05 * i for i in range(20)]
FLOW = FlowSettings(method="farneback")


def frames_of(seed: int) -> Tensor:
    """Frame t is noise that moves, of the brightness ``8 * t``: ``(30, 3, 32, 40)`` uint8."""
    noise = torch.randint(0, 8, (3, 32, 40), generator=torch.Generator().manual_seed(seed))
    return torch.stack([(noise + 8 * t).roll(t, dims=-1) for t in range(30)]).to(torch.uint8)


def write_uneven(path: Path, frames: Tensor) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[2:], "bgr0"
        stream.codec_context.time_base = Fraction(1, 1000)
        for rgb, shown in zip(frames, SECONDS, strict=True):
            frame = av.VideoFrame.from_ndarray(rgb.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
            frame.pts, frame.time_base = round(1000 * shown), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos, each with the parts of 0 to 2 s (frames 0 to 9), ``slow``, and 2 to 2.5 s (10 to 19), ``fast``."""
    root = tmp_path_factory.mktemp("parts")
    rows = []
    for k, split in enumerate(("train", "train", "val", "val", "test", "test")):
        write_uneven(root / f"{k}.mkv", frames_of(k))
        rows += [f"{k}.mkv,slow,{split},0,2", f"{k}.mkv,fast,{split},2,2.5"]
    file = root / "clips.csv"
    file.write_text("\n".join(["path,label,split,start,end", *rows, ""]))
    return file


def brightness(pixels: Tensor) -> list[int]:
    """The numbers of frames ``(..., 3, H, W)``."""
    return [int(frame.amin()) // 8 for frame in pixels.flatten(0, -4)]


def test_clips_of_parts_are_their_frames_and_their_flow_is_that_of_the_store(listed: Path, tmp_path: Path) -> None:
    records = VideoCsv(listed).records
    report = precompute(records, tmp_path / "flow", FLOW, pool=POOL, tell=lambda _: None)
    assert (report.num_done, len(list((tmp_path / "flow").rglob("*.flow")))) == (6, 6)
    assert not verify(records, tmp_path / "flow", pool=POOL).failures
    data = video_data(
        VideoCsv(listed), streams=("rgb", "flow"), clip_len=5, stride=2, flow_len=4, flow_settings=FLOW, test_clips=2
    )
    at_once, stored = ClipReader(data.input_settings), ClipReader(data.input_settings, FlowStore(tmp_path / "flow"))
    for record, frames in zip(records[:2], (range(10), range(10, 20)), strict=True):
        clips = stored.test_clips(record)
        assert {*brightness(torch.stack([clip["rgb"] for clip in clips]))} <= {*frames}
        assert brightness(clips[0]["rgb"])[0] == frames[0]
        for clip, other in zip(clips, at_once.test_clips(record), strict=True):
            assert torch.equal(clip["flow"], other["flow"])


def test_a_copy_has_the_frames_of_a_part_whatever_its_own_clock_says(listed: Path, tmp_path: Path) -> None:
    records, clip = VideoCsv(listed).records, ClipSettings(clip_len=10)
    settings = video_data(VideoCsv(listed), clip_len=10).input_settings
    copy = TrainingCopy.of(records, settings, tmp_path / "copy")
    assert copy.make(records, pool=POOL) == []
    assert copy.is_whole(records)
    swapped = copy.used(records)
    assert swapped is not None
    assert [record.name for record in swapped] == [record.name for record in records]
    found = [brightness(ClipReader(settings).test_clips(record)[0]["rgb"]) for record in swapped[:2]]
    assert clip.clip_len == 10
    assert all(abs(a - b) <= 1 for a, b in zip(found[0] + found[1], range(20), strict=True))
    done = prepare(records, tmp_path / "small", PrepareSettings(32), pool=POOL)
    assert len(done.videos) == 6
    parts = [VideoPart(0, 10, "frames"), VideoPart(10, 20, "frames")] * 6
    assert [record.part for record in VideoCsv(tmp_path / "small" / "clips.csv").records] == parts


def test_features_of_two_parts_of_a_video_are_kept_apart(listed: Path, tmp_path: Path) -> None:
    records = VideoCsv(listed).records[:2]
    store, _ = computed(records, tmp_path / "features")
    slow, fast = (store.read(record)["block4"] for record in records)
    assert not torch.equal(slow, fast)
    assert not store.has(records[0].with_part(None))


def test_a_test_of_parts_says_which_they_are_and_a_prediction_repeats_it(listed: Path, tmp_path: Path) -> None:
    data = video_data(VideoCsv(listed), clip_len=3)
    torch.manual_seed(0)
    model = SingleFrame(class_names=list(data.class_names), clip=data.clip, backbone="small")
    trainer = Trainer(
        logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        callbacks=[ResultFiles(tmp_path, checkpoint=None)],
    )  # fmt: skip
    trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    tested = read_scores(tmp_path / "test.csv", data.class_names)
    assert [part and part.text for part in tested.parts] == ["from 0 to 2 s", "from 2 to 2.5 s"] * 2
    assert tested.num_groups == 2
    predictor = Predictor(tmp_path / "model.ckpt", device="cpu")
    for number, record in enumerate(data.split("test")):
        prediction = predictor(record.source, part=record.part)
        assert prediction.scores == pytest.approx(tested.scores[number].tolist(), abs=1e-5)
        assert record.part is not None
        assert (prediction.start_seconds, prediction.end_seconds) == (record.part.start, record.part.end)


def test_a_check_finds_parts_outside_their_video_and_overlaps_across_splits(listed: Path, tmp_path: Path) -> None:
    lines = listed.read_text().splitlines()
    groups = ["path,label,split,start,end,group"] + [f"{line},g{k}" for k, line in enumerate(lines[1:])]
    rows = ["0.mkv,slow,test,1,2.2,x", "1.mkv,fast,train,3.5,4,y", "1.mkv,fast,train,2,2.5,z"][:2]
    file = tmp_path / "clips.csv"
    file.write_text("\n".join([*groups, *rows, ""]))
    data = video_data(VideoCsv(file, root=listed.parent), clip_len=15)
    known = check_files(data.records, CheckCache(None, decoder=None), pool=POOL, most_seconds=100).by_source
    found = {one.kind: one for one in findings(CheckedData(data.records, known, data.input_settings))}
    assert found["part"].lines[0].startswith("1.mkv: the part from 3.5 to 4 s is beyond the end of the video")
    assert {line.partition(" (")[0] for line in found["leak"].lines} == {"0.mkv#t=0,2", "0.mkv#t=2,2.5"}
    assert "duplicate" not in found
    assert len(found["variable rate"].lines) == 6
    assert any(line.startswith("0.mkv#t=2,2.5: ") for line in found["short"].lines)
    fixed = fix_list([record for record in data.records if record.group not in ("x", "y")], known)
    write_fix_list(fixed, tmp_path / "fixed.csv", listed.parent)
    assert VideoCsv(tmp_path / "fixed.csv").records[1].part == data.records[1].part


def test_the_page_of_the_data_shows_parts(listed: Path) -> None:
    data = video_data(VideoCsv(listed), clip_len=3)
    known = check_files(data.records, CheckCache(None, decoder=None), pool=POOL, most_seconds=100).by_source
    facts = [VideoFacts.of(record, known[record.source].health) for record in data.records]
    assert {found.info is not None and found.info.num_frames < 30 for found in facts} == {True}
    shown = thumbnails(data)
    assert [one.path for one in shown["fast"]] == ["0.mkv#t=2,2.5", "1.mkv#t=2,2.5"]
    assert all(one.still for found in shown.values() for one in found)
