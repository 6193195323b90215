"""Damaged flow files, flow pictures, csv files and manifests: the values that were written, or an error of ours."""

from __future__ import annotations

import random
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.io import write_jpeg

from vidcls.artifacts.writers import Writers
from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PreparedFolder, PrepareSettings
from vidcls.datasets import VideoCsv
from vidcls.errors import VidclsError
from vidcls.flow import FlowSettings, FlowStore, flow_file, open_flow_store
from vidcls.flow.dense_flow_folder import DenseFlowFolder
from vidcls.flow.middlebury import read_flo, write_flo
from vidcls.flow.precompute import store_video
from vidcls.flow.store_writer import FlowStoreWriter
from vidcls.jobs import InThisProcess
from vidcls.types import VideoRecord
from vidcls.video import LocalFile, write_video

Damage = Callable[[random.Random, bytes, bytes], bytes]
Tally = Callable[..., None]
Read = Callable[[], object]


def trouble(
    file: Path, damages: Sequence[Damage], read: Read, num_inputs: int, *, other: bytes | None = None
) -> tuple[Counter[str], list[str]]:
    """Outcomes of reading a file damaged in many ways, and those that must not be; the file is put back."""
    chance, sound = random.Random(file.name), file.read_bytes()
    expected = read()
    outcomes: Counter[str] = Counter()
    bad: list[str] = []
    for number in range(num_inputs):
        damaged = chance.choice(damages)(chance, sound, sound[::-1] if other is None else other)
        file.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = read()
        except VidclsError as error:
            outcomes[type(error).__name__] += 1
            bad += [f"{number}: more than one line"] if "\n" in str(error) else []
            continue
        except Exception as error:  # noqa: BLE001 - which ones come out is the question
            outcomes["other error"] += 1
            bad.append(f"{number}: {type(error).__name__}: {str(error)[:200]}")
            continue
        is_same = torch.equal(found, expected) if isinstance(found, Tensor) else found == expected  # type: ignore[arg-type]
        outcomes["what was written" if is_same else "something else"] += 1
        if not is_same and damaged != sound:
            bad.append(f"{number}: another result")
    file.write_bytes(sound)
    return outcomes, bad


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[VideoRecord]:
    """Four videos of noise, two classes."""
    folder = tmp_path_factory.mktemp("videos")
    records = []
    for k in range(4):
        frames = torch.randint(0, 255, (5, 3, 32, 40), generator=torch.Generator().manual_seed(k), dtype=torch.uint8)
        path = folder / f"{k}.avi"
        write_video(path, frames, codec="mjpeg")
        records.append(VideoRecord(LocalFile(path), "ab"[k % 2], "train", path.name, None))
    return records


@pytest.fixture(scope="module")
def store(videos: list[VideoRecord], tmp_path_factory: pytest.TempPathFactory) -> FlowStore:
    root = tmp_path_factory.mktemp("store")
    writer = FlowStoreWriter.open(root, FlowSettings(method="farneback"))
    for record in videos:
        store_video(writer, record)
    return FlowStore(root)


@pytest.fixture
def num_inputs(is_full: bool) -> int:
    return 3000 if is_full else 150


def test_a_damaged_flow_file_gives_its_fields_or_a_flow_error(
    videos: list[VideoRecord], store: FlowStore, plain_damages: Sequence[Damage], num_inputs: int, tally: Tally
) -> None:
    file, other = store.path_of(videos[0]), store.path_of(videos[1]).read_bytes()

    def read() -> Tensor:
        fresh = FlowStore(store.root)
        return fresh.fields(videos[0], range(fresh.num_fields(videos[0])))

    outcomes, bad = trouble(file, plain_damages, read, num_inputs, other=other)
    tally("damaged flow file", recovered=num_inputs, lost=0, note=written(outcomes))
    assert bad == []


def test_no_single_bit_of_a_flow_file_turns_unseen(
    videos: list[VideoRecord], store: FlowStore, is_full: bool, tally: Tally
) -> None:
    file = store.path_of(videos[2])
    sound = file.read_bytes()
    expected = store.fields(videos[2], range(4))
    step = 1 if is_full else 41
    unseen = []
    for bit in range(0, 8 * len(sound), step):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        try:
            found = store.fields(videos[2], range(4))
        except VidclsError:
            continue
        unseen.append((bit, torch.equal(found, expected)))
    file.write_bytes(sound)
    # The eight bytes of the first word are not read: the last word says what file it is.
    assert [bit for bit, _ in unseen if bit >= 64] == []
    assert all(is_same for _, is_same in unseen)
    tally("bit of a flow file turned over", recovered=len(range(0, 8 * len(sound), step)), lost=0)


def test_a_reader_that_does_not_look_at_the_crc_is_found(
    videos: list[VideoRecord], store: FlowStore, plain_damages: Sequence[Damage], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Same:
        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = None  # type: ignore[assignment]

    def lenient(blob: bytes, height_px: int, width_px: int) -> Tensor:
        try:
            content = zlib.decompressobj(-15).decompress(blob[2:])  # without zlib's own sum
        except zlib.error:
            content = b""
        content = content.ljust(2 * height_px * width_px, b"\0")[: 2 * height_px * width_px]
        return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(2, height_px, width_px)

    monkeypatch.setattr(flow_file.zlib, "crc32", lambda blob: Same())
    monkeypatch.setattr(flow_file, "decode_field", lenient)
    _, bad = trouble(
        store.path_of(videos[3]), plain_damages, lambda: FlowStore(store.root).fields(videos[3], range(4)), 150
    )
    assert bad != []


def test_a_damaged_manifest_of_a_store_gives_the_store_or_a_flow_error(
    videos: list[VideoRecord], store: FlowStore, plain_damages: Sequence[Damage], num_inputs: int, tally: Tally
) -> None:
    def read() -> Tensor:
        return open_flow_store(store.root).fields(videos[0], range(4))

    outcomes, bad = trouble(store.root / "manifest.json", plain_damages, read, num_inputs)
    tally("damaged manifest of flow", recovered=num_inputs, lost=0, note=written(outcomes))
    assert bad == []


def test_a_damaged_flo_file_gives_a_field_of_its_size_or_a_flow_error(
    plain_damages: Sequence[Damage], tmp_path: Path, num_inputs: int, tally: Tally
) -> None:
    file = tmp_path / "a.flo"
    write_flo(file, torch.randn(2, 12, 16))

    def read() -> tuple[int, ...]:  # the format has no checksum: a wrong value cannot be seen
        return tuple(read_flo(file).shape)

    outcomes, bad = trouble(file, plain_damages, read, num_inputs)
    outcomes, bad = outcomes, [line for line in bad if "another result" not in line]
    tally("damaged .flo file", recovered=num_inputs, lost=0, note=written(outcomes))
    assert bad == []


def test_a_damaged_flow_picture_gives_fields_or_a_flow_error(
    plain_damages: Sequence[Damage], tmp_path: Path, num_inputs: int, tally: Tally
) -> None:
    picture = torch.randint(0, 255, (1, 24, 32), dtype=torch.uint8)
    for name in ("flow_x_00001.jpg", "flow_y_00001.jpg"):
        (tmp_path / "a").mkdir(exist_ok=True)
        write_jpeg(picture, str(tmp_path / "a" / name))
    record = VideoRecord(LocalFile(tmp_path / "a.mp4"), "a", "train", "a.mp4", None)

    def read() -> tuple[int, ...]:  # JPEG has no checksum either
        return tuple(DenseFlowFolder(tmp_path).fields(record, [0]).shape)

    outcomes, bad = trouble(tmp_path / "a" / "flow_x_00001.jpg", plain_damages, read, num_inputs)
    tally("damaged flow picture", recovered=num_inputs, lost=0, note=written(outcomes))
    assert bad == []


def test_a_damaged_csv_file_gives_records_or_a_dataset_error(
    videos: list[VideoRecord], plain_damages: Sequence[Damage], num_inputs: int, tally: Tally
) -> None:
    file = videos[0].path.parent / "clips.csv"
    lines = [f"{record.path.name},{record.label},{record.split},g{k},note" for k, record in enumerate(videos)]
    file.write_text("path,label,split,group,remark\n" + "\n".join(lines) + "\n")

    def read() -> bool:
        records = VideoCsv(file, val_fraction=0.0).records
        return all(record.path.is_file() and record.label for record in records)

    outcomes, bad = trouble(file, plain_damages, read, num_inputs)
    tally("damaged csv file", recovered=num_inputs, lost=0, note=written(outcomes))
    assert bad == []


@pytest.mark.parametrize("name", ["manifest.json", "prepared.csv"])
def test_damaged_files_of_a_prepared_copy_give_the_copy_or_a_dataset_error(
    name: str, videos: list[VideoRecord], plain_damages: Sequence[Damage], tmp_path: Path, num_inputs: int, tally: Tally
) -> None:
    settings = PrepareSettings(short_side_px=16)
    prepare(videos, tmp_path / "copy", settings, pool=InThisProcess())

    def read() -> bool:
        """Whether every copy that counts as whole is so."""
        folder = PreparedFolder.open(tmp_path / "copy", settings, videos, Writers(tmp_path / "copy"))
        rows = [folder.current(record) for record in videos]
        return all(row is None or folder.copy_of(row.name).stat().st_size == row.num_bytes for row in rows)

    outcomes, bad = trouble(tmp_path / "copy" / name, plain_damages, read, num_inputs)
    tally(f"damaged {name} of a copy", recovered=num_inputs, lost=0, note=written(outcomes))
    assert bad == []


def written(outcomes: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in outcomes.most_common())


def test_a_flo_file_that_promises_2_to_the_31_pixels_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.flo"
    file.write_bytes(b"PIEH" + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + bytes(64))
    with pytest.raises(VidclsError, match="is damaged"):
        read_flo(file)
