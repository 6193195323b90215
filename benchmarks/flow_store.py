"""Which format holds 8-bit flow best: bytes per field, time to write and to read 10 neighbouring fields, error.

Every candidate keeps one file per video. The fields are DIS flow of real clips where VIDCLS_REAL_DATA names their
folder, else of a synthetic moving texture. The first line is what 8 bits cost by themselves; a candidate's error is on
top of it. Usage: python benchmarks/flow_store.py [--quick] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import os
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision.io import ImageReadMode, decode_jpeg, decode_png, encode_jpeg, encode_png

from vidcls.flow.codec import decode_field, dequantize, encode_field, quantize
from vidcls.flow.estimators import estimate

BOUND_PX = 20.0
FIELDS_PER_READ = 10
Codes = np.ndarray  # (T, 2, H, W) uint8


@dataclass(frozen=True)
class Candidate:
    """A format: codes to a file, and the fields from ``first`` on back from it."""

    write: Callable[[Path, Codes], None]
    read: Callable[[Path, int, int], Codes]


def members(encode: Callable[[np.ndarray], bytes], decode: Callable[[bytes, int, int], np.ndarray]) -> Candidate:
    """One blob per field, x above y as one picture of (2H, W), behind an index of offsets."""

    def write(path: Path, codes: Codes) -> None:
        blobs = [encode(np.ascontiguousarray(field.reshape(-1, field.shape[-1]))) for field in codes]
        ends = np.cumsum([len(blob) for blob in blobs], dtype=np.uint64)
        path.write_bytes(struct.pack("<III", *codes.shape[0:1], *codes.shape[2:]) + ends.tobytes() + b"".join(blobs))

    def read(path: Path, first: int, count: int) -> Codes:
        with path.open("rb") as file:
            T, H, W = struct.unpack("<III", file.read(12))
            ends = [0, *np.frombuffer(file.read(8 * T), np.uint64).tolist()]
            start = 12 + 8 * T
            out = np.empty((count, 2 * H, W), np.uint8)
            for row, t in enumerate(range(first, first + count)):
                file.seek(start + ends[t])
                out[row] = decode(file.read(ends[t + 1] - ends[t]), 2 * H, W)
        return out.reshape(count, 2, H, W)

    return Candidate(write, read)


def jpeg(quality: int) -> Candidate:
    return members(
        lambda image: encode_jpeg(torch.from_numpy(image)[None], quality).numpy().tobytes(),
        lambda blob, *_: decode_jpeg(torch.frombuffer(bytearray(blob), dtype=torch.uint8))[0].numpy(),
    )


def png(level: int) -> Candidate:
    return members(
        lambda image: encode_png(torch.from_numpy(image)[None], level).numpy().tobytes(),
        lambda blob, *_: decode_png(torch.frombuffer(bytearray(blob), dtype=torch.uint8), ImageReadMode.GRAY)[
            0
        ].numpy(),
    )


def cv2_image(suffix: str, flags: list[int]) -> Candidate:
    return members(
        lambda image: cv2.imencode(suffix, image, flags)[1].tobytes(),
        lambda blob, *_: cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_GRAYSCALE),
    )


def webp_lossless() -> Candidate:
    def encode(image: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "webp", lossless=True, method=4, quality=50)
        return buffer.getvalue()

    return members(encode, lambda blob, *_: np.asarray(Image.open(io.BytesIO(blob)).convert("L")))


def zlib_raw(level: int) -> Candidate:
    return members(
        lambda image: zlib.compress(image.tobytes(), level),
        lambda blob, H, W: np.frombuffer(zlib.decompress(blob), np.uint8).reshape(H, W),
    )


def zlib_left(level: int, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> Candidate:
    """Each pixel as the difference from its left neighbour, undone by a running sum of bytes."""

    def encode(image: np.ndarray) -> bytes:
        compressor = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
        return compressor.compress(np.diff(image, axis=1, prepend=np.uint8(0)).tobytes()) + compressor.flush()

    return members(
        encode,
        lambda blob, H, W: np.cumsum(np.frombuffer(zlib.decompress(blob), np.uint8).reshape(H, W), 1, np.uint8),
    )


def zlib_up(level: int, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> Candidate:
    """Each pixel as the difference from its upper neighbour."""

    def encode(image: np.ndarray) -> bytes:
        compressor = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
        return compressor.compress(np.diff(image, axis=0, prepend=np.uint8(0)).tobytes()) + compressor.flush()

    return members(
        encode,
        lambda blob, H, W: np.cumsum(np.frombuffer(zlib.decompress(blob), np.uint8).reshape(H, W), 0, np.uint8),
    )


def the_store() -> Candidate:
    """What vidcls.flow writes: as zlib_up(6), x and y each from their own first row."""
    return members(
        lambda image: encode_field(torch.from_numpy(image).view(2, -1, image.shape[1])),
        lambda blob, H, W: decode_field(blob, H // 2, W).view(H, W).numpy(),
    )


def lzma_raw() -> Candidate:
    return members(
        lambda image: lzma.compress(image.tobytes(), preset=1),
        lambda blob, H, W: np.frombuffer(lzma.decompress(blob), np.uint8).reshape(H, W),
    )


def npz() -> Candidate:
    def write(path: Path, codes: Codes) -> None:
        with path.open("wb") as file:
            np.savez_compressed(file, **{str(t): field for t, field in enumerate(codes)})

    def read(path: Path, first: int, count: int) -> Codes:
        with np.load(path) as archive:
            return np.stack([archive[str(t)] for t in range(first, first + count)])

    return Candidate(write, read)


def zip_of_jpeg_pairs(quality: int) -> Candidate:
    """As dense_flow's folders, x and y each a JPEG, in one uncompressed zip per video."""

    def write(path: Path, codes: Codes) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for t, field in enumerate(codes):
                for axis, plane in zip("xy", field, strict=True):
                    blob = encode_jpeg(torch.from_numpy(plane.copy())[None], quality)
                    archive.writestr(f"flow_{axis}_{t + 1:05d}.jpg", blob.numpy().tobytes())

    def read(path: Path, first: int, count: int) -> Codes:
        with zipfile.ZipFile(path) as archive:
            names = [f"flow_{axis}_{t + 1:05d}.jpg" for t in range(first, first + count) for axis in "xy"]
            blobs = [torch.frombuffer(bytearray(archive.read(name)), dtype=torch.uint8) for name in names]
        planes = torch.cat(decode_jpeg(blobs))
        return planes.reshape(count, 2, *planes.shape[1:]).numpy()

    return Candidate(write, read)


def grey_video(codec: str, options: dict[str, str], key_every: int) -> Candidate:
    """A lossless grey video, x above y; a read seeks to the key frame before the first field."""

    def write(path: Path, codes: Codes) -> None:
        H, W = codes.shape[2:]
        with av.open(str(path), "w", format="matroska") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = W, 2 * H, "gray"
            stream.codec_context.gop_size = key_every
            for t, field in enumerate(codes):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(field.reshape(2 * H, W)), format="gray")
                frame.pts = t
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    def read(path: Path, first: int, count: int) -> Codes:
        out: list[np.ndarray] = []
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            container.seek(round(first / 25 / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if round(frame.pts * stream.time_base * 25) >= first:
                    out.append(np.asarray(frame.planes[0]).reshape(frame.height, -1)[:, : frame.width])
                if len(out) == count:
                    break
        fields = np.stack(out)
        return fields.reshape(count, 2, fields.shape[1] // 2, fields.shape[2])

    return Candidate(write, read)


CANDIDATES: dict[str, Candidate] = {
    "raw": members(lambda image: image.tobytes(), lambda blob, H, W: np.frombuffer(blob, np.uint8).reshape(H, W)),
    "jpeg 95, x and y, zip": zip_of_jpeg_pairs(95),
    "jpeg 95, stacked": jpeg(95),
    "png 1 torchvision": png(1),
    "png 6 torchvision": png(6),
    "png 6 opencv": cv2_image(".png", [cv2.IMWRITE_PNG_COMPRESSION, 6]),
    "webp lossless": webp_lossless(),
    "npz, compressed": npz(),
    "zlib 1": zlib_raw(1),
    "zlib 6": zlib_raw(6),
    "zlib 6, left": zlib_left(6),
    "zlib 6, left, filtered": zlib_left(6, zlib.Z_FILTERED),
    "zlib 4, up": zlib_up(4),
    "the store (zlib 6, up)": the_store(),
    "zlib 6, up, filtered": zlib_up(6, zlib.Z_FILTERED),
    "zlib 9, up": zlib_up(9),
    "lzma 1": lzma_raw(),
    "ffv1 video": grey_video("ffv1", {"level": "3", "context": "1"}, 1),
    "h264 lossless, key every": grey_video("libx264", {"qp": "0", "preset": "medium"}, 1),
    "h264 lossless, key per 12": grey_video("libx264", {"qp": "0", "preset": "medium", "bf": "0"}, 12),
}


def real_frames(path: Path) -> torch.Tensor:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)  # (T, 3, H, W)


def synthetic_frames() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    texture = F.interpolate(torch.rand(1, 3, 40, 40, generator=generator), scale_factor=8, mode="bicubic")[0]
    image = (texture.clamp(0, 1) * 255).to(torch.uint8)
    return torch.stack([image[:, 20 + t : 164 + t, 80 - t : 272 - t] for t in range(40)])


def clips(*, quick: bool) -> dict[str, list[torch.Tensor]]:
    if not (root := os.environ.get("VIDCLS_REAL_DATA")):
        return {"synthetic, 192x144": [synthetic_frames()]}
    per_set = 2 if quick else 12
    sets = {"oddities/base_faststart.mp4, 340x256": [real_frames(Path(root, "oddities", "base_faststart.mp4"))]}
    for folder, size in (("fall_overhead", "192x144"), ("weizmann4", "64x64")):
        paths = sorted(Path(root, folder).rglob("*.mp4"))
        sets[f"{folder}, {size}"] = [real_frames(p) for p in paths[:: len(paths) // per_set][:per_set]]
    return sets


def measure(candidate: Candidate, videos: list[Codes], folder: Path, num_reads: int) -> dict[str, float]:
    paths = [folder / str(v) for v in range(len(videos))]
    start = time.perf_counter()
    for path, codes in zip(paths, videos, strict=True):
        candidate.write(path, codes)
    write_seconds = time.perf_counter() - start
    num_fields = sum(len(codes) for codes in videos)

    random = np.random.default_rng(0)
    firsts = [[int(random.integers(len(c) - FIELDS_PER_READ + 1)) for _ in range(num_reads)] for c in videos]
    seconds = []
    for path, places in zip(paths, firsts, strict=True):
        for first in places:
            start = time.perf_counter()
            candidate.read(path, first, FIELDS_PER_READ)
            seconds.append(time.perf_counter() - start)

    step_px, error_px, zeros, kept = BOUND_PX / 127, 0.0, 0, 0
    for path, codes in zip(paths, videos, strict=True):
        back = candidate.read(path, 0, len(codes))
        error_px += float(np.abs(back.astype(np.int16) - codes).mean(dtype=np.float64)) * step_px * len(codes)
        zeros += int((codes == 128).sum())
        kept += int(((codes == 128) & (back == 128)).sum())
    still = np.full((12, 2, *videos[0].shape[2:]), 128, np.uint8)
    candidate.write(folder / "still", still)
    return {
        "bytes_per_field": sum(path.stat().st_size for path in paths) / num_fields,
        "write_ms_per_field": 1e3 * write_seconds / num_fields,
        "read_ms_median": 1e3 * float(np.median(seconds)),
        "error_px": error_px / num_fields,
        "zeros_kept": kept / zeros if zeros else 1.0,
        "still_is_zero": float((candidate.read(folder / "still", 0, 12) == 128).all()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few clips and reads")
    parser.add_argument("--output", type=Path, default=Path("flow_store.json"), help="where the numbers go")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    table: dict[str, dict[str, dict[str, float]]] = {}
    for name, frames in clips(quick=arguments.quick).items():
        flows = [estimate(clip, "dis") for clip in frames]
        videos = [quantize(flow, BOUND_PX).numpy() for flow in flows]
        cost = [float((dequantize(quantize(f, BOUND_PX), BOUND_PX) - f).abs().mean()) for f in flows]
        print(f"\n{name}: {len(videos)} clips, {sum(map(len, videos))} fields; 8 bits cost {np.mean(cost):.4f} px")
        print(f"{'format':28}{'bytes/field':>12}{'write ms':>10}{'read 10 ms':>12}{'error px':>10}{'zeros':>8}  still")
        table[name] = {}
        for label, candidate in CANDIDATES.items():
            with tempfile.TemporaryDirectory() as folder:
                row = measure(candidate, videos, Path(folder), num_reads=5 if arguments.quick else 20)
            table[name][label] = row
            print(
                f"{label:28}{row['bytes_per_field']:12.0f}{row['write_ms_per_field']:10.2f}{row['read_ms_median']:12.2f}"
                f"{row['error_px']:10.4f}{row['zeros_kept']:8.3f}{'yes' if row['still_is_zero'] else 'NO':>7}"
            )
    arguments.output.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
