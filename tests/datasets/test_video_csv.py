from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidcls.datasets import VideoCsv, VideoFolder
from vidcls.errors import DatasetError
from vidcls.types import SPLITS

Files = Callable[[Path, Iterable[str]], None]
Lines = Callable[..., Path]
NAMES = [f"{label}{k}.mp4" for label in "ab" for k in range(6)]


@pytest.fixture
def table(tmp_path: Path, files: Files, lines: Lines) -> Callable[..., Path]:
    """A csv with the given lines beside twelve files, a0.mp4 to b5.mp4."""
    files(tmp_path, NAMES)
    return lambda *text: lines(tmp_path / "clips.csv", *text)


def test_paths_are_relative_to_the_folder_of_the_csv(table: Callable[..., Path], tmp_path: Path) -> None:
    dataset = VideoCsv(table("path,label", *(f"./{n},{n[0]}" for n in NAMES)))
    assert [r.path for r in dataset.records] == [tmp_path / n for n in NAMES]
    assert [r.name for r in dataset.records] == NAMES


def test_root_takes_the_place_of_the_csvs_folder(tmp_path: Path, files: Files, lines: Lines) -> None:
    files(tmp_path / "videos", NAMES)
    file = lines(tmp_path / "tables/clips.csv", "path,label", *(f"{n},{n[0]}" for n in NAMES))
    assert VideoCsv(file, root=tmp_path / "videos").records[3].path == tmp_path / "videos/a3.mp4"


def test_given_splits_and_groups_are_kept_and_other_columns_become_extra(table: Callable[..., Path]) -> None:
    rows = [f"{n},{n[0]},{'train' if int(n[1]) < 4 else 'valid' if n[1] == '4' else 'test'},g{n[1]},25" for n in NAMES]
    dataset = VideoCsv(table("Path,Label,Split,group,fps", *rows))
    assert [(r.split, r.group) for r in dataset.records[3:6]] == [("train", "g3"), ("val", "g4"), ("test", "g5")]
    assert dataset.records[0].extra == {"fps": "25"}


def test_without_splits_each_class_gives_its_share(table: Callable[..., Path]) -> None:
    dataset = VideoCsv(table("path,label", *(f"{n},{n[0]}" for n in NAMES)), val_fraction=1 / 6, test_fraction=1 / 3)
    counts = {s: sorted(r.label for r in dataset.split(s)) for s in SPLITS}
    assert counts == {"train": list("aaabbb"), "val": list("ab"), "test": list("aabb")}


def test_a_missing_validation_is_cut_from_train_and_never_from_test(table: Callable[..., Path]) -> None:
    rows = [f"{n},{n[0]},{'train' if int(n[1]) < 4 else 'test'},g{n[1]}" for n in NAMES]
    dataset = VideoCsv(table("path,label,split,group", *rows))
    assert {r.group for r in dataset.split("test")} == {"g4", "g5"}
    assert len({r.group for r in dataset.split("val")}) == 1
    assert {r.group for r in dataset.split("val")} < {"g0", "g1", "g2", "g3"}


def test_a_file_outside_the_root_gets_a_name_inside_it(tmp_path: Path, files: Files, lines: Lines) -> None:
    files(tmp_path / "elsewhere", NAMES)
    rows = [f"../elsewhere/{n},{n[0]}" for n in NAMES[:-1]] + [f"{tmp_path}/elsewhere/b5.mp4,b"]
    dataset = VideoCsv(lines(tmp_path / "tables/clips.csv", "path,label", *rows))
    assert all(r.path.is_file() for r in dataset.records)
    assert all(r.name.startswith("outside/") and r.name.endswith(r.path.name) for r in dataset.records)
    assert len({r.name for r in dataset.records}) == len(NAMES)


def test_names_outside_the_root_do_not_depend_on_where_the_project_lies(
    tmp_path: Path, files: Files, lines: Lines
) -> None:
    names = []
    for home in ("here", "there/deeper"):
        files(tmp_path / home / "videos", NAMES)
        rows = [f"../videos/{n},{n[0]}" for n in NAMES]
        names.append([r.name for r in VideoCsv(lines(tmp_path / home / "t/clips.csv", "path,label", *rows)).records])
    assert names[0] == names[1]


def test_a_byte_order_mark_blank_lines_quotes_and_windows_line_ends_are_read(tmp_path: Path, files: Files) -> None:
    files(tmp_path, ["a, b.mp4", "c.mp4", "d.mp4"])
    text = '\ufeffpath,label\r\n"a, b.mp4", x \r\n\r\nc.mp4,y\r\nd.mp4,x\r\n'
    (tmp_path / "clips.csv").write_bytes(text.encode("utf-8"))
    dataset = VideoCsv(tmp_path / "clips.csv", val_fraction=0, test_fraction=0)
    assert [(r.name, r.label) for r in dataset.records] == [("a, b.mp4", "x"), ("c.mp4", "y"), ("d.mp4", "x")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            ["path,verb", "a0.mp4,a"],
            r"clips\.csv:1: no column label; found path, verb; add a header .*--data\.dataset\.col",
        ),
        (["path;verb", "a0.mp4;a"], r"clips\.csv:1: no column label; found path, verb; add a header"),
        ([], r"clips\.csv:1: no column path or label; found nothing"),
        (["path,label,fps,fps", "a0.mp4,a,1,2"], r"clips\.csv:1: two columns of the same name"),
        (["path,label", "a0.mp4,a", "a1.mp4,"], r"clips\.csv:3: the column label is empty"),
        (["path,label", "a0.mp4,a", "a1.mp4,a,x"], r"clips\.csv:3: expected 2 cells as in the first row, found 3"),
        (["path,label", 'a0.mp4,"a'], r"clips\.csv:2: not valid csv"),
        (["path,label,split", "a0.mp4,a,held out"], r"clips\.csv:2: unknown split 'held out'; expected train, val"),
        (
            ["path,label", "a0.mp4,a", "b0.mp4,b", "./a0.mp4,a"],
            r"clips\.csv:4 lists a0\.mp4 twice, first in .*clips\.csv:2",
        ),
        (["path,label", "a0.mp4,a", "a0.mp4,b"], r"clips\.csv:3 lists a0\.mp4 with two labels \('a' and 'b'\)"),
        (["path,label,split", "a0.mp4,a,train", "a0.mp4,a,test"], r"clips\.csv:3 .*two splits \(train and test\)"),
        (["path,label", "a0.mp4,a", "zz.mp4,b"], r"1 of 2 videos are missing: .*clips\.csv:3 -> .*zz\.mp4"),
        (
            ["path,label", "a0.mp4,a", "x\\b0.mp4,b"],
            r"1 of 2 videos are missing: .*csv:3 -> .*/x/b0\.mp4; remove the lines",
        ),
        (["path,label", "a0.mp4,a", "a1.mp4,a", "a2.mp4,a"], r"only one class, 'a', in .*clips\.csv"),
        (["path,label", "a0.mp4,a"], r"too few videos to cut a test split .*set test_fraction to 0"),
        (["path,label"], r"no videos in .*clips\.csv"),
        (["path,label,split", "a0.mp4,a,test", "b0.mp4,b,val"], r"no training videos in .*clips\.csv"),
        (
            ["path,label,split", "a0.mp4,a,train", "b0.mp4,b,train", "a1.mp4,walkk,val"],
            r"unknown labels, without a training video: 'walkk' \(val, .*clips\.csv:4\); training has a, b",
        ),
        (
            ["path,label,split,group", "a0.mp4,a,train,p1", "b0.mp4,b,train,p1", "a1.mp4,a,test,p1"],
            r"groups in two splits: p1 \(train in .*clips\.csv:2, test in .*clips\.csv:4\).*--data\.num_folds",
        ),
    ],
)
def test_each_mistake_is_one_line_with_file_and_line_number(
    table: Callable[..., Path], text: list[str], words: str
) -> None:
    with pytest.raises(DatasetError, match=words) as caught:
        VideoCsv(table(*text))
    assert "\n" not in str(caught.value)


def test_of_many_mistakes_the_first_five_are_shown(table: Callable[..., Path]) -> None:
    with pytest.raises(DatasetError, match=r"17 of 17 videos are missing: .*:6 -> \S+ and 12 more;"):
        VideoCsv(table("path,label", *(f"lost{k}.mp4,{'ab'[k % 2]}" for k in range(17))))


def test_a_missing_or_binary_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no csv file at .*none\.csv"):
        VideoCsv(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"path,label\n\xff\xfe,a\n")
    with pytest.raises(DatasetError, match=r"binary\.csv:2: not UTF-8 text"):
        VideoCsv(tmp_path / "binary.csv")


def test_fractions_that_leave_nothing_to_train_on_are_refused(table: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match=r"sum to less than 1, got val_fraction=0\.5 and test_fraction=0\.5"):
        VideoCsv(table("path,label"), val_fraction=0.5, test_fraction=0.5)


def test_a_field_without_end_is_refused_where_it_begins(table: Callable[..., Path]) -> None:
    with pytest.raises(DatasetError, match=r"clips.csv:\d+: not valid csv: field larger than field limit"):
        VideoCsv(table("path,label", "a0.mp4,a", f'"{"a" * 200_000}",b'))


def test_three_hundred_thousand_lines_fit_in_memory(tmp_path: Path, files: Files) -> None:
    """By object sizes per record, measured on 3,000: 500 MB are 1,700 bytes each; this leaves half of them free."""
    import tracemalloc

    names = [f"c{k % 10}/a_rather_long_video_name_{k:06d}.mp4" for k in range(3000)]
    files(tmp_path, names)
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "fps"), *((n, n[:2], 25) for n in names)])
    tracemalloc.start()
    dataset = VideoCsv(tmp_path / "clips.csv")
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes / len(dataset.records) < 1700


ROWS = [(n, n[0]) for n in NAMES]
NUMBERED = [(n, str("ab".index(n[0]))) for n in NAMES]


def joined(rows: Iterable[tuple[str, ...]], separator: str, header: str = "") -> str:
    return "".join(f"{line}\n" for line in [header, *(separator.join(row) for row in rows)] if line)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            joined(NUMBERED, " "),
            "separated by blanks; no header: columns read as path, label",
        ),  # SlowFast, PyTorchVideo
        (joined(NUMBERED, " ", "path label"), "separated by blanks"),
        (
            joined([(n, "300", k) for n, k in NUMBERED], " "),
            "separated by blanks; no header: columns read as path, (igno",
        ),
        (joined(NUMBERED, ","), "no header: columns read as path, label"),
        (joined(NUMBERED, "\t"), "separated by tabs; no header: columns read as path, label"),
        (joined(NUMBERED, ";", "path;label"), "separated by semicolons"),
        ("sep=;\n" + joined(NUMBERED, ";", "path;label"), "separated by semicolons"),
        (joined(NUMBERED, "|", "path|label"), "separated by bars"),
        (joined(NUMBERED, ",", "video_path,class"), "columns: video_path read as path, class read as label"),
        (joined(NUMBERED, ",", "Filename,Label"), "columns: Filename read as path"),
        (
            joined(NUMBERED, ";", "File Name;Category"),
            "separated by semicolons; columns: File Name read as path, Category",
        ),
        ("# made by me\n\n" + joined(NUMBERED, ",", "path,label"), ""),
        (joined(NUMBERED, ",", "# path,label"), ""),
        ("\n" + joined(NUMBERED, ",", "path,label"), ""),
        (joined([(f".\\{n}", k) for n, k in NUMBERED], ",", "path,label"), ""),
    ],
)
def test_lists_of_other_tools_give_the_same_videos(tmp_path: Path, files: Files, text: str, note: str) -> None:
    files(tmp_path, NAMES)
    (tmp_path / "list.txt").write_text(text)
    dataset = VideoCsv(tmp_path / "list.txt")
    assert [(r.path, r.name, r.label) for r in dataset.records] == [(tmp_path / n, n, k) for n, k in NUMBERED]
    assert len(dataset.notes) == bool(note)
    assert all(said.startswith(f"list.txt: {note}") for said in dataset.notes)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_with_a_byte_order_mark_are_read(tmp_path: Path, files: Files, encoding: str) -> None:
    names = [f"{label}é{k}.mp4" for label in "ab" for k in range(4)]
    files(tmp_path, names)
    mark = "\ufeff" if encoding.endswith("e") else ""
    (tmp_path / "clips.csv").write_bytes(
        (mark + joined([(n, n[:2]) for n in names], ",", "path,label")).encode(encoding)
    )
    dataset = VideoCsv(tmp_path / "clips.csv")
    assert [(r.name, r.label) for r in dataset.records] == [(n, n[:2]) for n in names]


def test_paths_with_blanks_in_a_list_separated_by_blanks(tmp_path: Path, files: Files) -> None:
    names = [f"my videos/clip {label} {k}.mp4" for label in "ab" for k in range(4)]
    files(tmp_path, names)
    (tmp_path / "train.csv").write_text("".join(f"{name} {name[15]}\n" for name in names))
    assert [(r.name, r.label) for r in VideoCsv(tmp_path / "train.csv").records] == [(n, n[15]) for n in names]


def test_a_list_for_each_split_in_one_folder_is_one_data_set(tmp_path: Path, files: Files, lines: Lines) -> None:
    files(tmp_path, NAMES)
    for split, kept in (("train", "0123"), ("val", "4"), ("test", "5")):
        lines(tmp_path / f"{split}.csv", *(f"{n} {k}" for n, k in NUMBERED if n[1] in kept))
    dataset = VideoCsv(tmp_path)
    assert [len(dataset.split(split)) for split in SPLITS] == [8, 2, 2]
    assert dataset.source == str(tmp_path)
    alone = VideoCsv(tmp_path / "train.csv")
    assert len(alone.records) == 8
    assert alone.notes[1] == (
        "train.csv alone is cut into train, val and test; to use test.csv, val.csv as the other splits, pass the "
        f"folder: --data.dataset.path {tmp_path}"
    )
    (tmp_path / "training.csv").touch()
    with pytest.raises(DatasetError, match="several lists of one split"):
        VideoCsv(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"no list in the folder .*empty: expected train\.csv.*--data video_folder"):
        VideoCsv(tmp_path / "empty")


@pytest.mark.parametrize(
    ("columns", "header", "row"),
    [
        ({"path": "clip_id", "label": "verb"}, "clip_id,noun,verb", "{path},x,{label}"),
        ({"label": "verb"}, "filename;label;verb", "{path};wrong;{label}"),
        ({"path": 1, "label": 2}, "", "7,{path},{label}"),
        ({"path": 0, "label": 1, "group": 2}, "", "{path} {label} {group}"),
    ],
)
def test_columns_can_be_named(table: Callable[..., Path], columns: dict[str, str | int], header: str, row: str) -> None:
    body = [row.format(path=n, label=n[0], group=n[1]) for n in NAMES]
    dataset = VideoCsv(table(*([header] if header else []), *body), columns=columns)
    assert [(r.name, r.label) for r in dataset.records] == ROWS
    assert all(r.group == (r.name[1] if "group" in columns else None) for r in dataset.records)


@pytest.mark.parametrize(
    ("words", "splits"),
    [("training validation testing", SPLITS), ("Train dev Test", SPLITS), ("train_set eval test_set", SPLITS)],
)
def test_splits_have_their_usual_names(table: Callable[..., Path], words: str, splits: tuple[str, ...]) -> None:
    word = dict(zip(splits, words.split(), strict=True))
    rows = [(n, n[0], word["train" if int(n[1]) < 4 else "val" if n[1] == "4" else "test"]) for n in NAMES]
    for header in ("path,label,split", "path,label,subset"):
        dataset = VideoCsv(table(header, *(",".join(row) for row in rows)))
        assert [len(dataset.split(split)) for split in SPLITS] == [8, 2, 2]
    dataset = VideoCsv(table(*(" ".join(row) for row in rows)))
    assert [len(dataset.split(split)) for split in SPLITS] == [8, 2, 2]


def test_a_column_called_set_without_splits_in_it_is_a_further_column(table: Callable[..., Path]) -> None:
    dataset = VideoCsv(table("path,label,set", *(f"{n},{n[0]},s{n[1]}" for n in NAMES)))
    assert dataset.records[0].extra == {"set": "s0"}
    assert all(dataset.split(split) for split in SPLITS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            ["path,label", "a0.mp4,a", "https://example.org/b.mp4,b"],
            r"csv:3: https://example\.org/b\.mp4: is an address, .*add --allow-remote https to",
        ),
        (
            ["https://example.org/b.mp4 0"],
            r"csv:1: https://example\.org/b\.mp4: is an address, and none is read without permission",
        ),
        (["path,label", "C:\\videos\\a0.mp4,a"], r"csv:2: C:\\videos\\a0\.mp4 is a Windows path"),
        (["path,label", "C:/videos/a0.mp4,a"], r"csv:2: C:/videos/a0\.mp4 is a Windows path"),
        (["a0.mp4,0,1", "b0.mp4,1,1"], r"csv:1: no header, and its 3 columns could mean several things; add a header"),
        (["a0.mp4 0 1 2", "b0.mp4 1 1 2"], r"csv:1: no header, and its 4 columns could mean several things"),
        (
            ["video,filename,label", "a0,a0.mp4,a"],
            r"csv:1: several columns could be the path: video, filename; name it",
        ),
        (["path,label", "a0.mp4,a", "b\0.mp4,b"], r"clips\.csv:3: contains a NUL byte"),
        (
            ["path,label,split", "a0.mp4,a,train", "b0.mp4,b,eval"],
            r"clips\.csv: in the column split, eval could mean val",
        ),
    ],
)
def test_what_could_mean_two_things_is_refused_in_one_line(
    table: Callable[..., Path], text: list[str], words: str
) -> None:
    with pytest.raises(DatasetError, match=words) as caught:
        VideoCsv(table(*text))
    assert "\n" not in str(caught.value)


def test_file_names_that_are_not_unicode_are_read_as_the_bytes_that_they_are(tmp_path: Path, files: Files) -> None:
    files(tmp_path, NAMES)
    odd = os.fsdecode(b"caf\xe9.mp4")
    try:
        (tmp_path / odd).touch()
    except OSError:
        pytest.skip("this file system knows Unicode names alone")
    (tmp_path / "clips.csv").write_bytes(b"path,label\n" + joined(ROWS, ",").encode() + b"caf\xe9.mp4,b\n")
    assert VideoCsv(tmp_path / "clips.csv").records[-1].path == tmp_path / odd
    for row in (b"caf\xe9.mp4,caf\xe9", b"gar\xe7on.mp4,b"):
        (tmp_path / "clips.csv").write_bytes(b"path,label\n" + joined(ROWS, ",").encode() + row + b"\n")
        with pytest.raises(DatasetError, match=r"clips\.csv:14: not UTF-8 text; save the file as UTF-8"):
            VideoCsv(tmp_path / "clips.csv")


def test_labels_that_no_line_can_show_are_refused_where_they_stand(table: Callable[..., Path]) -> None:
    for label, shown in (('"a\nb"', r"'a\\nb'"), ("a\x1b[31m", r"'a\\x1b\[31m'")):
        file = table("path,label", "a0.mp4,a", f"a1.mp4,{label}", "b0.mp4,b")
        words = rf"clips\.csv:[34]: the label {shown} has a control character .*rename the class"
        with pytest.raises(DatasetError, match=words) as caught:
            VideoCsv(file, val_fraction=0, test_fraction=0)
        assert "\n" not in str(caught.value)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@hypothesis.settings(max_examples=60)
@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=2, max_size=12), end=st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_wrote_is_read_back(rows: list[tuple[str, str]], end: str) -> None:
    cells = [(label.strip(), remark.strip()) for label, remark in rows if label.strip()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "clips.csv")
        with file.open("w", encoding="utf-8", newline="") as text:
            table = csv.writer(text, lineterminator=end)
            table.writerow(["path", "label", "split", "remark"])
            for k, (label, remark) in enumerate(cells):
                Path(folder, f"{k}.mp4").touch()
                table.writerow([f"{k}.mp4", label, "train", remark])
        if len({label for label, _ in cells}) < 2:
            with pytest.raises(DatasetError):
                VideoCsv(file, val_fraction=0.0)
            return
        records = VideoCsv(file, val_fraction=0.0).records
    assert [(r.label, r.extra["remark"]) for r in records] == cells


def test_a_pattern_finds_the_groups_in_the_names_where_there_is_no_column_of_them(
    table: Callable[..., Path],
) -> None:
    rows = [f"{name},{name[0]}" for name in NAMES]
    assert {r.group for r in VideoCsv(table("path,label", *rows), group_pattern=r"(\d)\.").records} == set("012345")
    grouped = table("path,label,group", *(f"{row},g" if row[0] == "a" else f"{row},h" for row in rows))
    assert {r.group for r in VideoCsv(grouped, group_pattern=r"(\d)\.", val_fraction=0, test_fraction=0).records} == {
        "g",
        "h",
    }
    with pytest.raises(DatasetError, match=r"clips\.csv:8: no group found by group_pattern 'a\(\.\)'"):
        VideoCsv(table("path,label", *sorted(rows)), group_pattern="a(.)")
    with pytest.raises(ValueError, match="has no bracket"):
        VideoCsv(table("path,label", *rows), group_pattern="a")


def test_a_list_that_lies_in_a_folder_of_videos_is_named_by_both_kinds_of_data_set(
    clip_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    for path in sorted(clip_folder.rglob("*.avi")):
        copied = folder / path.parent.name / f"{path.parent.parent.name}_{path.name}"
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
    (folder / "clips.csv").write_text("path,label,group\n")
    assert f"--data video_csv --data.dataset.path {folder / 'clips.csv'}" in " ".join(VideoFolder(folder).notes)
    with pytest.raises(DatasetError, match=r"pass one that is there, such as .*clips\.csv"):
        VideoCsv(folder)
