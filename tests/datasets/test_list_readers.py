"""A list of videos means the same however it is read: line by line, in blocks, or from Parquet."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from vidcls.datasets import VideoCsv, one_list
from vidcls.datasets.base import UnsoundDatasetError
from vidcls.datasets.plain_list import NotPlainError, PlainList
from vidcls.errors import DatasetError
from vidcls.types import VideoRecord

EMPTY = (
    "the column label is empty; fill it or remove the line, or pass --task multi_label, in which a video may have no "
    "label"
)
Understood = tuple[list[VideoRecord], tuple[str, ...], tuple[str, ...]]


def understood(file: Path, **options: str) -> Understood | str:
    """The records, notes and faults of a list, or what is wrong with it."""
    try:
        dataset = VideoCsv(file, **options)  # type: ignore[arg-type]
        return list(dataset.records), tuple(dataset.notes), ()
    except UnsoundDatasetError as error:
        found = error.dataset
        return list(found.records), tuple(found.notes), error.faults
    except DatasetError as error:
        return str(error)


HEADERS = [
    ("path", "walk", "wave"), ("id", "actions"),
    ("path", "label"), ("path", "label", "split"), ("label", "group", "path"), ("# Filename", "class", "subset"),
    ("path", "label", "fps"), ("path", "label", "split", "group", "x"), (), ("path", "label", "label"), ("a", "b"),
]  # fmt: skip
CELLS = st.sampled_from(
    ["a.mp4", "b.mp4", "c/d.avi", "c/./d.avi", "/x/y.mp4", "~/z.mp4", "..", "a\\b.mp4", "C:/v.mp4", "s3://b/k.mp4",
     "ä.mp4", "\t", "b.mp4\t", "\ta.mp4", "\ufeffa.mp4", "1", "2",
     "0", "1", "a|b", "a", "a 1.0 2.5;b 0 1", "train", "val", "test", "validation", "g1", "", "", " ", " a.mp4 ",
     "\u00a0é\u2003", "\x1cq\x1f", "\x85",
     'q"', '"q,r"',
     "\u2028", "x\x0by", "#", "a b", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "\0"]
)  # fmt: skip
PLAIN = st.sampled_from(
    ["a.mp4", "b.mp4", "c/d.mp4", "ä.mp4", "e f.mp4", "train", "test", "walk", "sit", "1", "2", "0"]
)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Lists as people write them, and lists that went wrong."""
    separator = draw(st.sampled_from([",", ",", ",", ";", "\t", "|", " "]))
    header = draw(st.sampled_from(HEADERS))
    width = len(header) or draw(st.integers(2, 3))
    cells = draw(st.sampled_from([PLAIN, PLAIN, CELLS]))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8))
    if draw(st.integers(0, 4)) == 0 and rows:
        rows[draw(st.integers(0, len(rows) - 1))] = draw(st.lists(CELLS, max_size=4))
    lines = [separator.join(row) for row in ([list(header)] if header else []) + rows]
    for line in draw(st.lists(st.sampled_from(["", "# a comment", "sep=;"]), max_size=1)):
        lines.insert(draw(st.sampled_from([0, 0, len(lines), len(lines) // 2])), line)
    end = draw(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"]))
    text = end.join(lines) + draw(st.sampled_from([end, end, "", end + end]))
    raw = text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "latin-1", "utf-8-sig"])), "replace")
    return raw


@settings(deadline=None, max_examples=400)
@given(raw=texts(), pattern=st.sampled_from([None, None, "([a-z]+)"]))
def test_a_list_in_blocks_is_that_line_by_line(
    raw: bytes, pattern: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("list") / "clips.csv"
    file.write_bytes(raw)
    options = {} if pattern is None else {"group_pattern": pattern}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_list, "LEAST_BYTES", 1 << 40)
        one_by_one = understood(file, **options)
        patch.setattr(one_list, "LEAST_BYTES", 0)
        assert understood(file, **options) == one_by_one


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.mp4,walk\nc/d.mp4,sit\n",
        "path,label,split,group\r\na.mp4,walk,train,g\r\nb.mp4,sit,validation,h\r\n",
        "# by hand\nä.mp4;walk\nb.mp4; sit\n\n",
        "Filename\tclass\tsubset\na.mp4\twalk\tx\n",
    ],
)
def test_usual_lists_are_read_in_blocks(tmp_path: Path, text: str) -> None:
    (tmp_path / "clips.csv").write_bytes(text.encode())
    assert sum(len(block.columns[0]) for block in PlainList(tmp_path / "clips.csv", str(tmp_path), None).blocks()) > 0


@pytest.mark.parametrize("text", ['path,label\n"a.mp4",walk\n', "path,label\n\na.mp4,walk\n", "a.mp4 walk\n"])
def test_what_needs_thought_is_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "clips.csv").write_bytes(text.encode())
    with pytest.raises(NotPlainError):
        list(PlainList(tmp_path / "clips.csv", str(tmp_path), None).blocks())


def write_both(folder: Path, columns: dict[str, list[object]]) -> None:
    """The same table as ``clips.csv`` and ``clips.parquet``, its files beside it."""
    rows = [["" if cell is None else str(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
    text = "\n".join(",".join(row) for row in [list(columns), *rows])
    (folder / "clips.csv").write_text(text + "\n", encoding="utf-8")
    parquet.write_table(pa.table(columns), folder / "clips.parquet")
    for name in columns.get("path", columns.get("video", [])):
        (folder / str(name)).touch()


def test_a_parquet_file_is_read_as_the_same_csv_is(tmp_path: Path) -> None:
    count = 40
    columns: dict[str, list[object]] = {
        "video": [f"clip {k} ü.mp4" for k in range(count)],
        "label": [k % 3 for k in range(count)],
        "group": [f"g{k // 2}" for k in range(count)],
        "fps": [None if k % 5 else 25.5 for k in range(count)],
    }
    write_both(tmp_path, columns)
    by_csv, by_parquet = (understood(tmp_path / f"clips.{kind}") for kind in ("csv", "parquet"))
    assert not isinstance(by_csv, str)
    assert not isinstance(by_parquet, str)
    assert by_parquet[0] == by_csv[0]
    assert by_parquet[1] == ("clips.parquet: columns: video read as path",)


def test_faults_of_a_parquet_file_name_its_rows_from_one(tmp_path: Path) -> None:
    write_both(tmp_path, {"path": ["a.mp4", "b.mp4"], "label": ["walk", None]})
    assert understood(tmp_path / "clips.parquet") == (f"{tmp_path}/clips.parquet:2: {EMPTY}")
    write_both(tmp_path, {"path": ["a.mp4"] * 3, "label": list("abc"), "split": ["train", "dev", "x"]})
    found = understood(tmp_path / "clips.parquet")
    assert isinstance(found, str)
    assert found.startswith(f"{tmp_path}/clips.parquet:3: unknown split 'x'")


def test_pictures_and_lists_in_a_parquet_file_are_left_out_with_a_note(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {"path": ["a.mp4", "b.mp4", "c.mp4"], "label": ["x", "y", "y"]}
    write_both(tmp_path, {**columns, "split": ["train", "train", "val"]})
    table = parquet.read_table(tmp_path / "clips.parquet").append_column("embedding", pa.array([[1.0], [2.0], [3.0]]))
    parquet.write_table(table, tmp_path / "clips.parquet")
    dataset = VideoCsv(tmp_path / "clips.parquet")
    assert dataset.notes == ("clips.parquet: columns left out, since they are no text: embedding",)
    assert dataset.records[0].extra == {}


def test_an_empty_number_is_an_empty_cell_and_a_view_of_text_is_text(tmp_path: Path) -> None:
    columns = {"path": pa.array(["a.mp4", "b.mp4"], pa.string_view()), "label": pa.array([1.0, float("nan")])}
    parquet.write_table(pa.table(columns), tmp_path / "clips.parquet")
    assert understood(tmp_path / "clips.parquet") == (f"{tmp_path}/clips.parquet:2: {EMPTY}")


def test_where_a_column_is_missing_those_that_are_no_text_are_named(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"path": pa.array([b"a.mp4"]), "label": ["x"]}), tmp_path / "clips.parquet")
    found = understood(tmp_path / "clips.parquet")
    assert isinstance(found, str)
    assert "no column path" in found
    assert found.endswith("columns left out, since they are no text: path")


def test_a_folder_of_parquet_files_by_split_is_one_data_set(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        names = [f"{split}{k}.mp4" for k in range(2)]
        parquet.write_table(pa.table({"path": names, "label": ["a", "b"]}), tmp_path / f"{split}.parquet")
        for name in names:
            (tmp_path / name).touch()
    assert [(r.name, r.split) for r in VideoCsv(tmp_path).records] == [
        (f"{split}{k}.mp4", split) for split in ("train", "val", "test") for k in range(2)
    ]


def test_what_is_no_parquet_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "clips.parquet").write_text("path,label\n")
    with pytest.raises(DatasetError, match=r"cannot read the list .*clips.parquet: .*; expected a Parquet file"):
        VideoCsv(tmp_path / "clips.parquet")
    write_both(tmp_path, {"path": ["a.mp4"], "size": [1]})
    with pytest.raises(DatasetError, match=r"clips.parquet: no column label; found path, size"):
        VideoCsv(tmp_path / "clips.parquet")
    write_both(tmp_path, {"path": ["a.mp4"], "label": ["a"]})
    with pytest.raises(DatasetError, match="its columns have names"):
        VideoCsv(tmp_path / "clips.parquet", columns={"path": 0, "label": 1})


@pytest.mark.parametrize("wrong", ["path", "label", "notes"])
def test_a_parquet_file_whose_text_is_not_utf8_is_one_line_and_is_closed(wrong: str, tmp_path: Path) -> None:
    columns: dict[str, object] = {"path": ["a.mp4", "b.mp4"], "label": ["a", "b"], "notes": ["x", "y"]}
    columns[wrong] = pa.array([b"good", b"\xe4\xff "], pa.binary()).view(pa.string())
    parquet.write_table(pa.table(columns), tmp_path / "clips.parquet")
    with pytest.raises(DatasetError, match=r"cannot read the list .*clips\.parquet: .*UTF8.*; write the file again"):
        VideoCsv(tmp_path / "clips.parquet")
    if Path("/proc/self/fd").is_dir():
        assert str(tmp_path / "clips.parquet") not in {
            os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()
        }
