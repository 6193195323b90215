"""The page of a data set: counts, what is wrong with it, and clips as they are fed."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import video_data

from vidcls.checks.cache import CheckCache, CheckedVideo
from vidcls.checks.files import check_files
from vidcls.cli import main
from vidcls.clips.reader import ClipReader
from vidcls.datasets import VideoCsv, VideoFolder
from vidcls.files import csv_text
from vidcls.jobs import InThisProcess
from vidcls.loading import VideoDataModule
from vidcls.loading.clip_dataset import ClipKey, TrainClips
from vidcls.report.choice import evenly
from vidcls.report.clip_samples import clip_samples, strip
from vidcls.report.data_charts import counts_chart
from vidcls.report.data_page import NUM_LISTED, findings_shown, span_frames, write_data_page
from vidcls.report.video_facts import VideoFacts, fact_rows
from vidcls.transforms import TransformSettings
from vidcls.video import LocalFile, VideoSource, write_video
from vidcls.video.health import Health, examine

OPTIONS = ["--data.transform.resize_px", "null", "--data.transform.crop_px", "32", "--data.flow_len", "3"]


@pytest.fixture(scope="module")
def pages(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the common clips, by the command."""
    place = tmp_path_factory.mktemp("pages")
    output = str(place / "clips.html")
    assert main(["data", "browse", str(clip_folder), "--output", output, "--num_samples", "2", *OPTIONS]) == 0
    return place


@pytest.fixture(scope="module")
def page(pages: Path) -> str:
    return (pages / "clips.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_but_itself(page: str, check_page: Callable[[str], None]) -> None:
    check_page(page)


def test_it_counts_classes_and_parts(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    assert "22 videos of 3 classes" in text
    for row in (r"left\s+4\s+1\s+3\s+8", r"right\s+4\s+1\s+2\s+7", r"still\s+4\s+1\s+2\s+7"):
        assert re.search(row, text), row
    for fact in (r"40 x 32\s+22", r"25\s+22", r"mjpeg\s+22"):
        assert re.search(fact, text), fact
    assert "7 videos frozen: every frame is the same picture" in text
    assert "test/still/0.avi: 8 frames" in text
    assert "shape" not in text


def test_thumbnails_and_strips_are_pictures(page: str) -> None:
    assert page.count('class="clip"') == 12  # four training videos of three classes
    assert page.count('class="strip"') == 2 * 3 * 2  # videos, two draws and the test, RGB and flow
    assert "rgb 3 x 1 x 32 x 32" in page
    assert "flow 2 x 3 x 32 x 32" in page


def test_every_video_has_a_line(pages: Path, clip_dataset: VideoFolder) -> None:
    with (pages / "clips_videos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [record.name for record in clip_dataset.records]
    assert {(row["frames"], row["fps"], row["height"], row["width"], row["error"]) for row in rows} == {
        ("8", "25", "32", "40", "")
    }


def data_of(dataset: VideoFolder | VideoCsv, **settings: object) -> VideoDataModule:
    transform = TransformSettings(resize_px=None, crop_px=32, flip_probability=0.0)
    return video_data(dataset, transform=transform, **settings)


def test_the_clips_are_those_of_training(clip_dataset: VideoFolder, pages: Path) -> None:
    data = data_of(clip_dataset, clip_len=3, seed=5)
    found = [clip_samples(data, index) for index in (0, 11)]
    assert [row[0].path for row in found] == ["train/left/0.avi", "train/still/3.avi"]
    train = TrainClips(data.split("train"), data.task, ClipReader(data.input_settings))
    for draw in (0, 1):
        expected = train[ClipKey(5, draw, 11)]
        assert torch.equal(torch.from_numpy(found[1][draw].arrays["rgb"]), expected["streams"]["rgb"])  # type: ignore[typeddict-item]
    with np.load(pages / "clips_samples.npz") as arrays:
        assert arrays["paths"].tolist() == ["train/left/0.avi", "train/still/3.avi"]
        assert arrays["rgb_0_0"].shape == (3, 1, 32, 32)
        assert arrays["flow_1_2"].shape == (2, 3, 32, 32)


def test_flow_that_is_estimated_on_the_device_is_shown_as_flow(clip_dataset: VideoFolder) -> None:
    data = data_of(clip_dataset, streams=("rgb", "flow"), flow_on="device", flow_len=2)
    for sample in clip_samples(data, 0):
        assert sample.shapes == {"rgb": (3, 1, 32, 32), "flow": (2, 2, 32, 32)}
        assert sample.arrays["flow"].dtype == np.float32


def test_a_strip_shows_eight_frames_at_most_and_no_motion_is_white() -> None:
    frames = torch.randint(0, 255, (3, 20, 32, 32), dtype=torch.uint8)
    assert strip(frames, "rgb", bound_px=1.0).shape == (3, 96, 8 * 96 + 7 * 2)
    still = strip(torch.zeros(2, 2, 32, 32), "flow", bound_px=1.0)
    assert (still == 255).all()
    assert not (strip(torch.ones(2, 2, 32, 32), "flow", bound_px=1.0) == 255).all()


def test_evenly_has_the_ends() -> None:
    assert evenly(10, 3) == [0, 4, 9]
    assert evenly(2, 5) == [0, 1]
    assert evenly(5, 1) == [0]
    assert evenly(0, 5) == []


def known_of(data: VideoDataModule) -> dict[VideoSource, CheckedVideo]:
    return check_files(data.records, CheckCache(None), pool=InThisProcess(), most_seconds=60).by_source


def facts_of(data: VideoDataModule) -> list[VideoFacts]:
    known = known_of(data)
    return [VideoFacts.of(record, known[record.source].health) for record in data.records]


def named(data: VideoDataModule) -> dict[str, tuple[str, ...]]:
    return {finding.kind: finding.lines for finding in findings_shown(data, known_of(data))}


def test_what_would_spoil_a_training_is_named(clip_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "clips"
    shutil.copytree(clip_folder, root)
    (root / "train/left/1.avi").write_bytes(b"no video")
    for k in range(40):
        shutil.copy(root / "train/right/0.avi", root / f"train/right/more_{k}.avi")
    shutil.rmtree(root / "test/still")
    write_video(root / "train/still/fast.mp4", torch.zeros(4, 3, 32, 40, dtype=torch.uint8), fps=50)
    found = named(data_of(VideoFolder(root), clip_len=8))
    (unreadable,) = found["undecodable"]
    assert unreadable.startswith("train/left/1.avi: ")
    assert found["lacking class"] == ("test: still",)
    assert found["short"] == ("train/still/fast.mp4: 4 frames, a clip spans 8",)
    assert found["uneven classes"] == ("right has 44 training videos, left 4",)
    assert found["uneven rates"] == ("from 25 to 50 frames per second",)
    assert found["black"] == ("train/still/fast.mp4: 4 frames",)
    (copies,) = found["duplicate"]
    assert "train/right/more_39.avi" in copies
    assert found.keys() == {"undecodable", "lacking class", "short", "uneven classes", "uneven rates", "black"} | {
        "duplicate",
        "frozen",
        "unknown groups",
    }


def test_the_page_and_the_check_say_the_same_and_open_each_file_once(
    clip_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = Path(shutil.copytree(clip_folder, tmp_path / "clips"))
    (root / "train/left/1.avi").write_bytes(b"no video")
    monkeypatch.setattr("vidcls.cli.check_options.chosen_pool", lambda _: InThisProcess())
    examined: list[str] = []

    def counted(source: LocalFile, **options: object) -> Health:
        examined.append(source.path.name)
        return examine(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("vidcls.checks.examined.examine", counted)
    words = [str(root), *OPTIONS, "--cache", str(tmp_path / "cache")]
    assert main(["data", "check", *words, "--json", str(tmp_path / "check.json")]) == 1
    assert len(examined) == 22
    page = tmp_path / "clips.html"
    for output in ([], ["--recheck"]):
        del examined[:]
        assert main(["data", "browse", *words, "--output", str(page), "--num_samples", "1", *output]) == 0
        assert len(examined) == (22 if output else 0)
    text = page.read_text(encoding="utf-8")
    found = json.loads((tmp_path / "check.json").read_text())["findings"]
    assert found
    for finding in found:
        assert html.escape(finding["title"]) in text
        assert html.escape(finding["lines"][0], quote=False) in html.unescape(text)
    write_video(root / "test/left/0.avi", torch.zeros(8, 3, 32, 40, dtype=torch.uint8), codec="mjpeg")
    del examined[:]
    capsys.readouterr()
    assert main(["data", "check", *words]) == 1
    assert examined == ["0.avi"]
    assert "1 files opened, 21 known" in capsys.readouterr().out


def test_groups_in_two_parts_are_named(clip_folder: Path, tmp_path: Path) -> None:
    data = data_of(VideoFolder(clip_folder))
    data.records = [
        type(r)(r.source, r.label, r.split, r.name, group="a" if r.name.endswith("0.avi") else r.name)
        for r in data.records
    ]
    assert named(data)["spread group"] == ("a: train 3, val 3, test 3",)
    write_data_page(data, tmp_path / "p.html", title="<b>", num_samples=1)
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<h1>&lt;b&gt;</h1>" in text
    assert "Groups across splits" in text
    assert "Groups: 14 groups of 22 videos." in text


def test_that_no_groups_are_known_is_said_on_the_page(clip_folder: Path, tmp_path: Path) -> None:
    write_data_page(data_of(VideoFolder(clip_folder)), tmp_path / "p.html", title="a", num_samples=1)
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "Groups: not known." in text
    assert "Good to know: groups are not known" in text
    assert "Groups across splits" not in text


def test_of_a_large_set_some_are_opened_and_it_is_said(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    write_data_page(data_of(clip_dataset), tmp_path / "p.html", title="t", most_read=5, num_samples=1)
    assert "5 of them, spread evenly, were opened" in (tmp_path / "p.html").read_text(encoding="utf-8")
    assert len((tmp_path / "p_videos.csv").read_text().splitlines()) == 1 + 5


def test_an_unreadable_video_has_its_reason_in_the_table(clip_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "clips"
    shutil.copytree(clip_folder, root)
    (root / "train/left/1.avi").write_bytes(b"no video")
    data = data_of(VideoFolder(root))
    rows = csv_text(fact_rows(facts_of(data))).splitlines()
    (bad,) = [row for row in rows if "train/left/1.avi" in row]
    assert bad.endswith("Invalid data found when processing input")
    files = write_data_page(data, tmp_path / "p.html", title="t", num_samples=12)
    assert [file.name for file in files] == ["p.html", "p_videos.csv", "p_samples.npz"]
    text = files[0].read_text(encoding="utf-8")
    assert text.count("1.avi: cannot be decoded") >= 2  # its thumbnail, its clips
    assert "<li>train/left/1.avi: Invalid data" in text  # above all


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "no command is given"),
        (["brows"], "unknown command 'brows'"),
        (["browse"], "source|FOLDER"),
        (["browse", "nowhere"], "nowhere: no such folder or file"),
        (["browse", "nowhere.csv"], "nowhere.csv: no such file"),
        (["browse", "two_stream", "--config", "conv3d"], "remove one of them"),
        (["browse", "two_stream", "--output", "page.txt"], "allowed are .html"),
        (["browse", "two_stream", "--num_samples", "0"], "not an integer"),
        (["browse", "two_stream", "--data.clip_lenn", "3"], "clip_lenn"),
    ],
)
def test_bad_words_are_one_line(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words]) == 2
    printed = capsys.readouterr().err
    assert re.search(expected, printed)
    assert len(printed.splitlines()) == 1


def test_a_video_in_place_of_a_data_set_is_one_line(clip_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "browse", str(next(clip_folder.rglob("*.avi")))]) == 2
    printed = capsys.readouterr().err
    assert "is one video, not a data set" in printed
    assert len(printed.splitlines()) == 1


def test_a_csv_file_and_a_run_are_data_sets_too(clip_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    lines = [f"{p.relative_to(clip_folder)},{p.parent.name},{p.parts[-3]}" for p in sorted(clip_folder.rglob("*.avi"))]
    table.write_text("path,label,split\n" + "\n".join(lines) + "\n")
    with_root = ["--data.dataset.root", str(clip_folder), *OPTIONS]
    output = ["--output", str(tmp_path / "a.html")]
    assert main(["data", "browse", str(table), "--config", "conv3d", *with_root, *output, "--num_samples", "1"]) == 0
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "22 videos of 3 classes" in text
    assert "rgb 3 x 8 x 32 x 32" in text
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(
        f"model: SingleFrame\ndata:\n  dataset: {{class_path: VideoFolder, init_args: {{root: {clip_folder}}}}}\n"
        "  transform: {resize_px: null, crop_px: 32}\n"
    )
    assert main(["data", "browse", str(run), "--output", str(tmp_path / "b.html"), "--num_samples", "1"]) == 0
    assert "22 videos of 3 classes" in (tmp_path / "b.html").read_text(encoding="utf-8")


def test_the_list_of_videos_is_never_written_over(
    clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"{p},{p.parent.name},{p.parts[-3]}" for p in sorted(clip_folder.rglob("*.avi"))]
    text = "path,label,split\n" + "\n".join(lines) + "\n"
    for name in ("clips.csv", "clips_videos.csv"):
        Path(name).write_text(text)
    assert main(["data", "browse", "clips.csv", "--output", "clips.html", "--num_samples", "1", *OPTIONS]) == 0
    assert Path("clips.csv").read_text() == text
    Path("clips_videos.csv").write_text(text)
    assert main(["data", "browse", "clips_videos.csv", "--output", "clips.html", *OPTIONS]) == 2
    assert "this is one of the inputs" in capsys.readouterr().err
    assert Path("clips_videos.csv").read_text() == text


def test_names_with_dollar_signs_are_no_formulas(clip_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "clips"
    shutil.copytree(clip_folder, root)
    for part in ("train", "val", "test"):
        (root / part / "left").rename(root / part / "cost_$5_$")
    write_data_page(data_of(VideoFolder(root)), tmp_path / "p.html", title="t", num_samples=1)
    assert "cost_$5_$" in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_what_names_say_is_text_and_no_markup(clip_folder: Path, tmp_path: Path) -> None:
    root, name = tmp_path / "clips", "<script>alert(1)<!--&quot;"
    shutil.copytree(clip_folder, root)
    for part in ("train", "val", "test"):
        (root / part / "left").rename(root / part / name)
        (root / part / "right" / "0.avi").rename(root / part / "right" / "'\"><img src=x onerror=alert(1)>.avi")
    (root / "train" / name / "0.avi").write_bytes(b"no video")
    write_data_page(data_of(VideoFolder(root)), tmp_path / "p.html", title=name, num_samples=30)
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_flow_needs_one_frame_more_than_fields(clip_dataset: VideoFolder) -> None:
    facts = facts_of(data_of(clip_dataset))
    assert span_frames(data_of(clip_dataset, clip_len=3, stride=2), facts) == 5
    assert span_frames(data_of(clip_dataset, streams=("rgb", "flow"), flow_len=7), facts) == 8
    assert span_frames(data_of(clip_dataset, streams=("flow",), flow_len=9, clip_len=4), facts) == 10
    assert span_frames(data_of(clip_dataset, clip_len=1, num_snippets=3), facts) is None  # spread over the video
    found = named(data_of(clip_dataset, streams=("rgb", "flow"), flow_len=10))
    assert len(found["short"]) == NUM_LISTED + 1
    assert found["short"][-1] == "and 10 more"


def test_a_file_without_a_rate_is_named_and_hinders_nothing(clip_dataset: VideoFolder) -> None:
    known = known_of(data_of(clip_dataset))
    record = clip_dataset.records[0]
    known[record.source] = replace(known[record.source], health=replace(known[record.source].health, fps=0.0))
    facts = VideoFacts.of(record, known[record.source].health)
    assert facts.info is not None
    assert facts.seconds is None
    for settings in ({}, {"stride_seconds": 0.04, "clip_len": 2}):
        found = findings_shown(data_of(clip_dataset, **settings), known)
        assert [finding.lines for finding in found if finding.kind == "no rate"] == [(record.name,)]


def test_a_browser_shows_it_and_a_press_plays(page: str, tmp_path: Path, browser: Callable[..., str]) -> None:
    pressed = "<script>document.querySelector('.clip').click(); document.body.dataset.shown = getComputedStyle("
    pressed += "document.querySelector('.clip .moving')).display;</script></body>"
    (tmp_path / "pressed.html").write_text(page.replace("</body>", pressed), encoding="utf-8")
    dom = browser("--dump-dom", (tmp_path / "pressed.html").as_uri())
    assert re.search(r'<body[^>]*data-shown="block"', dom)


def test_of_many_classes_it_says_how_many_have_how_many_videos() -> None:
    counts = {f"class_{k}": {"train": k % 5, "val": 1, "test": 2} for k in range(121)}
    chart = counts_chart(counts)
    assert "Sizes of 121 classes: from 0 to 4 training videos, half of them up to 2" in chart
    assert "class_7" not in chart
    del counts["class_120"]
    assert "class_7" in counts_chart(counts)
