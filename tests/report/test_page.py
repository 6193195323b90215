"""The page of a run: what stands in it, that it needs nothing else, and how a browser takes it."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vidcls.cli import main
from vidcls.errors import ConfigurationError
from vidcls.explain import Explainer
from vidcls.report import write_report
from vidcls.report.charts import confusion_chart
from vidcls.runs.run import RunFolder, read_run

CONFIG = """
seed_everything: 1
model:
  class_path: TwoStream
  init_args: {{spatial: small, temporal: small, optimization: {{lr: 0.05, schedule: constant}}}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  flow_len: 3
  test_clips: 2
  batch_size: 4
  test_batch_size: 4
  num_workers: 0
  transform: {{resize_px: null, crop_px: 32, train_crop: center, flip_probability: 0.0}}
trainer: {{max_epochs: 1, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}}
"""


@pytest.fixture(scope="module")
def folder(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained for an epoch and tested."""
    place = tmp_path_factory.mktemp("reported")
    (place / "tiny.yaml").write_text(CONFIG.format(root=clip_folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main(["fit", "--config", "tiny.yaml", "--run", "run"]) == 0
        assert main(["test", "--run", "run", "--ckpt_path", "best"]) == 0
        assert main(["report", "run", "--device", "cpu"]) == 0
    return place / "run"


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_but_itself_and_its_pictures_have_words(
    page: str, check_page: Callable[[str], None]
) -> None:
    check_page(page)


def test_videos_without_a_group_are_not_called_groups(page: str) -> None:
    assert "Tested on 7 videos, 2 views each. Groups: not known." in page
    assert "Groups are not known. Where clips of one recording" in page
    assert "7 groups" not in page


def test_all_that_is_known_of_the_run_stands_in_it(folder: Path, page: str) -> None:
    test = json.loads((folder / "test.json").read_text())
    top1 = test["table"]["model"]["top1"]
    assert f"<strong>{100 * top1:.1f} %</strong>" in page
    for row in ("spatial", "temporal", "product (the model&#39;s answer)", "svm"):
        assert row.replace("&#39;", "'") in page.replace("&#39;", "'")
    for word in ("calibration error", "left", "right", "still", "views of each video", "waiting for data", "torch"):
        assert word in page
    assert "crop_px: 32" in page
    page = page.partition('<h2 id="labels">')[0]  # below it are those whose labels are probably wrong
    assert page.count('class="clip"') == test["num_videos"]  # 7, of which no more than 12 are wrong or right
    assert page.count("data:image/webp;base64,") == 2 * test["num_videos"]


def test_videos_are_linked_and_both_lists_say_how_their_heat_is_seen(folder: Path, page: str) -> None:
    links = re.findall(r'<a class="file" href="([^"]+)"', page)
    assert len(links) == page.count('class="clip"')
    assert all((folder / link).resolve().is_file() for link in links)
    assert page.count("Point at one, or press it, to see where the network looked") == 2  # mistakes, and hits


def test_tables_and_charts_are_in_what_scrolls_and_a_chart_keeps_its_letters(page: str) -> None:
    assert page.count("<table") == page.count('<div class="wide"><table')
    confusion = page[page.index('<h2 id="classes">') : page.index("Most frequent confusions")]
    assert "the colour of a cell is its share of the row" in confusion
    assert re.search(r'<div class="wide">\s*<svg [^>]*style="--natural: \d{3,}px"', confusion)


def test_a_page_that_is_sent_away_has_no_links(folder: Path, tmp_path: Path) -> None:
    run, video = read_run(folder), tmp_path / "a.avi"
    video.touch()
    write_report(run, tmp_path / "p.html", explainer=None, path_of=lambda _: video)
    assert '<a class="file" href="a.avi">' in (tmp_path / "p.html").read_text(encoding="utf-8")
    write_report(run, tmp_path / "p.html", explainer=None, path_of=lambda _: video, has_links=False)
    assert '<a class="file"' not in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_what_the_pictures_show_lies_beside_the_page_in_numbers(folder: Path) -> None:
    def rows(name: str) -> list[list[str]]:
        with (folder / "report_data" / name).open(newline="") as file:
            return list(csv.reader(file))

    test = json.loads((folder / "test.json").read_text())
    assert [row[0] for row in rows("classes.csv")] == ["class", "left", "right", "still"]
    assert sum(int(row[4]) for row in rows("classes.csv")[1:]) == test["num_videos"]
    counts = np.array([row[1:] for row in rows("confusion.csv")[1:]], dtype=int)
    tested = np.loadtxt(folder / "test_confusion.csv", delimiter=",", skiprows=1, usecols=(1, 2, 3), dtype=int)
    assert (counts == tested).all()
    assert [float(row[1]) for row in rows("views.csv")[1:]] == pytest.approx(test["top1_by_views"])
    assert sum(int(row[2]) for row in rows("calibration.csv")[1:]) == test["num_videos"]
    with np.load(folder / "report_data" / "heat.npz") as heat:
        assert {"0/spatial_0", "0/temporal_1", "6/spatial_1"} <= set(heat)
        assert heat["0/spatial_0"].shape == (1, 32, 32)


def write_test(folder: Path, num_classes: int) -> None:
    """The files of a test with two videos of each class: one is right, one is taken for the next class."""
    names = [f"class_{k:04}" for k in range(num_classes)]
    with (folder / "test.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group", "prediction", *(f"p_{name}" for name in names)])
        for k in range(2 * num_classes):
            label, prediction = k // 2, (k // 2 + k % 2) % num_classes
            scores = ["0.5" if other == prediction else "0" for other in range(num_classes)]
            writer.writerow([f"{k}.avi", names[label], "", names[prediction], *scores])
    content = {"class_names": names, "model": "SingleFrame", "views_per_video": 1, "unread": []}
    (folder / "test.json").write_text(json.dumps(content))


def test_the_page_of_many_classes_is_small_and_shows_the_worst_of_them(
    tmp_path: Path, check_page: Callable[[str], None]
) -> None:
    num_classes = 160
    write_test(tmp_path, num_classes)
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    check_page(page)
    assert len(page) < 400_000
    chart = page[page.index("Confusion matrix of") : page.index("Most frequent confusions")]
    assert chart.count("<path") < 100
    assert "class_0007" not in chart
    assert "The first 20 of 160; all are in report_data/worst_confusions.csv" in page
    assert "The 50 classes with the lowest F1" in page
    assert "<details><summary>All 160 classes</summary>" in page
    with (tmp_path / "report_data" / "worst_confusions.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["label", "prediction", "videos", "share"], ["class_0000", "class_0001", "1", "0.5"]]
    assert len(rows) == 1 + num_classes


@pytest.mark.parametrize(("num_classes", "has_names"), [(30, True), (31, True), (150, True), (151, False)])
def test_a_confusion_matrix_is_cells_up_to_30_classes_and_a_picture_beyond(num_classes: int, has_names: bool) -> None:
    chart = confusion_chart(np.eye(num_classes, dtype=np.int64), [f"class_{k}" for k in range(num_classes)])
    assert ("data:image/png;base64," in chart) == (num_classes > 30)
    assert ("class_7" in chart) == has_names
    assert len(chart) < 300_000


def test_what_names_say_is_text_and_no_markup(folder: Path, tmp_path: Path) -> None:
    run = read_run(folder)
    names = ("<script>alert(1)</script>", *run.videos.class_names[1:])
    videos = dataclasses.replace(run.videos, class_names=names)
    strange = RunFolder(folder, videos, run.summary, config_text="a: </pre><b>")
    write_report(strange, tmp_path / "page.html", explainer=None, path_of=lambda name: None)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "</pre><b>" not in text
    assert "no checkpoint to look with" in text


def test_videos_that_could_not_be_read_are_named(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "run")
    test = json.loads((copy / "test.json").read_text())
    test["unread"] = [
        {"path": f"test/a/{k}.avi", "counts_as_wrong": k > 0, "reason": "cannot be decoded"} for k in range(7)
    ]
    (copy / "test.json").write_text(json.dumps(test))
    write_report(read_run(copy), tmp_path / "page.html", explainer=None, path_of=lambda _: None)
    page = (tmp_path / "page.html").read_text()
    assert "7 videos could not be read. test/a/0.avi (is not counted), test/a/1.avi (counts as wrong)" in page
    assert "test/a/4.avi" in page
    assert "test/a/5.avi" not in page
    assert "and more: see test.json" in page


def test_a_video_that_is_gone_has_no_picture_but_its_reason(folder: Path, tmp_path: Path) -> None:
    run = read_run(folder)
    assert run.checkpoint is not None
    explainer = Explainer(run.checkpoint, device="cpu")
    write_report(run, tmp_path / "p.html", explainer=explainer, path_of=lambda name: tmp_path / name, num_shown=2)
    assert "no picture: " in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_a_folder_that_is_no_tested_run_is_refused_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match=r"vidcls test --run"):
        read_run(tmp_path)
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    (damaged / "test.csv").write_text("path,label\n")
    assert main(["report", str(damaged)]) == 2
    assert "test it again" in capsys.readouterr().err
    (damaged / "test.csv").write_text("path,label,group,prediction,p_left,p_right,p_still\na.avi,left,,left,1,0\n")
    assert main(["report", str(damaged)]) == 2
    assert "line 2 has 6 of 7 cells" in capsys.readouterr().err
    (damaged / "test.csv").write_text(f"path,label\n{'a' * 200_000},left\n")  # more than a field of csv may have
    assert main(["report", str(damaged)]) == 2
    assert "test it again" in capsys.readouterr().err
    header, first, *others = (folder / "test.csv").read_text().splitlines()
    spoilt = ",".join([*first.split(",")[:4], *["nan"] * (len(header.split(",")) - 4)])
    (damaged / "test.csv").write_text("\n".join([header, spoilt, *others]) + "\n")
    assert main(["report", str(damaged)]) == 2
    assert f"the scores of 1 of {len(others) + 1} videos are NaN or infinite" in capsys.readouterr().err
    shutil.copy(folder / "test.csv", damaged)
    (damaged / "metrics.csv").write_text("step,train/loss\n1,nothing\n")
    assert main(["report", str(damaged)]) == 2
    assert "metrics.csv: is damaged" in capsys.readouterr().err
    assert main(["report", str(folder), "--output", "page.txt"]) == 2


def test_a_browser_shows_it_and_a_press_shows_the_heat(
    folder: Path, page: str, tmp_path: Path, browser: Callable[..., str]
) -> None:
    pressed = "<script>document.querySelector('.clip').click(); document.body.dataset.shown = getComputedStyle("
    pressed += "document.querySelector('.clip .moving')).display;</script></body>"
    (tmp_path / "pressed.html").write_text(page.replace("</body>", pressed), encoding="utf-8")
    dom = browser("--dump-dom", (tmp_path / "pressed.html").as_uri())
    assert re.search(r'<body[^>]*data-shown="block"', dom)
    assert dom.count('aria-pressed="true"') == 3  # the button, and two rules in the style sheet
    framed = f'<iframe src="{(folder / "report.html").as_uri()}" style="width: 412px; height: 4000px"></iframe>'
    asked = "<script>onload = () => { const page = document.querySelector('iframe').contentDocument.documentElement;"
    asked += (
        " document.body.dataset.found = [page.scrollWidth, page.querySelectorAll('.wide.scrolls').length]; };</script>"
    )
    (tmp_path / "phone.html").write_text(f"<body>{framed}{asked}</body>", encoding="utf-8")
    dom = browser("--allow-file-access-from-files", "--dump-dom", (tmp_path / "phone.html").as_uri())
    found = re.search(r'data-found="(\d+),(\d+)"', dom)
    assert found is not None
    assert int(found[1]) <= 412  # the page itself does not scroll sideways
    assert int(found[2]) >= 2  # what is wider does, and says so
    for width in (412, 1280):
        picture = tmp_path / f"{width}.png"
        browser(f"--window-size={width},1600", f"--screenshot={picture}", (folder / "report.html").as_uri())
        assert picture.stat().st_size > 20_000
