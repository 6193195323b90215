"""A file of weights that is small and asks for much is refused in one line, before it is given what it asks for."""

from __future__ import annotations

import pickle
import struct
import tracemalloc
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from vidcls import weights_file
from vidcls.errors import CheckpointError
from vidcls.weights_file import MAX_DEPTH, read_weights_file

MOST_PYTHON_BYTES = 10e6  # what looking through a file may take


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits at a size that a test writes in no time."""
    monkeypatch.setattr(weights_file, "MAX_INSTRUCTIONS", 1000)
    monkeypatch.setattr(weights_file, "MAX_VALUES", 1000)
    monkeypatch.setattr(weights_file, "MAX_DIRECTORY_BYTES", 5000)
    monkeypatch.setattr(weights_file, "MAX_PICKLE_BYTES", 10_000)


def refused(path: Path) -> str:
    """The one line, for which little memory was taken; no class or function of the file was made or called."""
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError) as error:
            read_weights_file(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MOST_PYTHON_BYTES
    line = str(error.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line


def saved(path: Path, content: object, *, legacy: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def rewritten(path: Path, change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """The same records, each as ``change`` has it."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in records.items():
            archive.writestr(name, change(name, data))
    return path


def with_pickle(path: Path, pickled: bytes, *, legacy: bool = False) -> Path:
    """A file whose content is this pickle."""
    if legacy:
        head = [torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {"little_endian": True}]
        path.write_bytes(b"".join(pickle.dumps(value, protocol=2) for value in head) + pickled)
        return path
    return rewritten(saved(path, {}), lambda name, data: pickled if name.endswith("data.pkl") else data)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_what_a_training_writes_is_read(tmp_path: Path, legacy: bool) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    shared = torch.arange(6.0)
    content = {
        "state_dict": network.state_dict(),
        "parameter": nn.Parameter(torch.ones(2)),
        "tied": [shared, shared.view(2, 3), shared[::2]],
        "half": torch.ones(2, dtype=torch.bfloat16),
        "dtype": torch.float16,
        "size": torch.Size([1, 2]),
        "milestones": Counter([3, 3]),
        "ordered": OrderedDict(a=1),
        "bytes": b"\x00\xff",
        "set": {1, 2},
        "plain": {"text": "täxt\n", "none": None, "float": float("nan"), "nested": [{"a": (1, True)}]},
    }
    found = read_weights_file(saved(tmp_path / "w.pt", content, legacy=legacy))
    assert isinstance(found, dict)
    assert str(found) == str(torch.load(tmp_path / "w.pt", weights_only=True))
    assert found.keys() == content.keys()


def test_compressed_records_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "w.pt", {"weight": torch.zeros(2_000_000)})
    rewritten(file, lambda _, data: data, zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 30_000
    assert "its records are compressed, which torch.save never does" in refused(file)


def test_records_that_lie_on_each_other_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "w.pt", [torch.zeros(1000), torch.ones(1000)])
    with zipfile.ZipFile(file) as archive:
        first, second = (archive.getinfo(f"w/data/{k}") for k in (0, 1))
    content = file.read_bytes()
    directory = content.rindex(b"w/data/1") - 46  # of the second record in the central directory
    (offset,) = struct.unpack_from("<I", content, directory + 42)
    assert offset == second.header_offset
    changed = bytearray(content)
    struct.pack_into("<I", changed, directory + 42, first.header_offset)
    struct.pack_into("<II", changed, directory + 20, 9000, 9000)
    file.write_bytes(changed)
    assert "its records are said to have more bytes than the file" in refused(file)


def test_a_directory_of_endless_records_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "w.pt", {})
    content = file.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    num_bytes = 5001
    start = content.index(b"PK\x01\x02")
    tail = bytearray(content[end:])
    struct.pack_into("<II", tail, 12, num_bytes, start)
    file.write_bytes(content[:start] + content[start:end].ljust(num_bytes, b"\0") + tail)
    assert "its directory has more than 5,000 bytes" in refused(file)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_pickle_of_millions_of_empty_lists_is_refused(tmp_path: Path, legacy: bool) -> None:
    file = with_pickle(tmp_path / "w.pt", b"\x80\x02](" + b"]" * 1000 + b"e.", legacy=legacy)
    assert "it holds more than 1,000 values" in refused(file)


def test_lists_that_hold_each_other_are_refused(tmp_path: Path) -> None:
    content: list[object] = []
    for _ in range(40):
        content = [content, content]
    assert "it holds more than 1,000 values" in refused(saved(tmp_path / "w.pt", content))


def test_a_pickle_of_endless_text_is_refused(tmp_path: Path) -> None:
    assert read_weights_file(saved(tmp_path / "w.pt", "x" * 8_000)) == "x" * 8_000
    file = saved(tmp_path / "w.pt", "x" * 20_000)
    assert "what is not tensors in it has more than 10,000 bytes" in refused(file)
    assert "a text in it has more than 10,000 bytes" in refused(saved(file, "x" * 20_000, legacy=True))


def test_values_nested_too_deep_are_refused_and_so_is_what_holds_itself(tmp_path: Path) -> None:
    content: list[object] = []
    for _ in range(MAX_DEPTH - 1):
        content = [content]
    read_weights_file(saved(tmp_path / "w.pt", content))
    words = f"its values are nested more than {MAX_DEPTH} deep"
    assert words in refused(saved(tmp_path / "w.pt", [content]))
    deep = b"\x80\x02" + b"]" * 400 + b"a" * 399 + b"."
    assert words in refused(with_pickle(tmp_path / "w.pt", deep))
    content = []
    content.append(content)
    assert words in refused(saved(tmp_path / "w.pt", content))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_one_number_that_stands_for_terabytes_is_refused(tmp_path: Path, legacy: bool) -> None:
    file = saved(tmp_path / "w.pt", {"weight": torch.zeros(1).expand(2**30, 2**10)}, legacy=legacy)
    assert "its tensors have 4,398,046,511,104 bytes, the file" in refused(file)


def test_a_thousand_tensors_of_the_same_memory_are_refused(tmp_path: Path) -> None:
    weight = torch.zeros(100_000)
    read_weights_file(saved(tmp_path / "w.pt", {str(k): weight for k in range(4)}))
    file = saved(tmp_path / "w.pt", {str(k): weight[k:] for k in range(20)})
    assert "its tensors have 7,999," in refused(file)


@pytest.mark.parametrize(
    "tensor", [torch.eye(2).to_sparse(), torch.empty(2**40, device="meta")], ids=["sparse", "meta"]
)
def test_tensors_without_their_numbers_are_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    assert "holds more than tensors and plain values" in refused(saved(tmp_path / "w.pt", {"weight": tensor}))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "called",
    [
        b"cbuiltins\nbytearray\nJ\x00\x00\x00\x7f\x85R",  # two billion bytes from one number
        b"ctorch\nFloatTensor\nJ\x00\x00\x00\x7f\x85R",
        b"cos\nmkdir\nX\x03\x00\x00\x00ran\x85R",
        b"cbuiltins\nException\nX\x03\x00\x00\x00ran\x85R",
    ],
    ids=["bytearray", "tensor", "mkdir", "exception"],
)
def test_what_is_called_is_refused_before_anything_is_read(tmp_path: Path, called: bytes, legacy: bool) -> None:
    file = with_pickle(tmp_path / "w.pt", b"\x80\x02" + called + b".", legacy=legacy)
    assert "holds more than tensors and plain values, which could run code, and is refused" in refused(file)


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02R.",
        b"\x80\x02h\x07.",
        b"\x80\x02]K\x01u.",
        b"\x80\x02X\xff\xff\xff\xffa.",
        b"\x80\x02)Q.",
    ],
)
def test_a_pickle_that_is_none_is_one_line(tmp_path: Path, pickled: bytes) -> None:
    refused(with_pickle(tmp_path / "w.pt", pickled))
    refused(with_pickle(tmp_path / "w.pt", pickled, legacy=True))


def test_a_file_that_is_no_pickle_is_one_line(tmp_path: Path) -> None:
    for content in (b"", b"text", b"PK\x05\x06" + bytes(18), b"\x80\x02" * 50, bytes(range(256))):
        (tmp_path / "w.pt").write_bytes(content)
        refused(tmp_path / "w.pt")
    assert refused(tmp_path / "gone.pt").endswith("gone.pt: no such file")
