"""A data set before training -> one HTML file that shows what is in it and what a network would see of it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from vidcls.errors import DecodeError, VidclsError
from vidcls.files import printable, write_text, written_whole
from vidcls.loading import VideoDataModule
from vidcls.report.choice import evenly
from vidcls.report.clip_samples import clip_samples, sample_arrays
from vidcls.report.data_charts import counts_chart, lengths_chart
from vidcls.report.html import rendered
from vidcls.report.thumbnails import NUM_FRAMES, small, webp
from vidcls.report.video_facts import VideoFacts, facts_csv, read_facts
from vidcls.types import SPLITS, VideoRecord
from vidcls.video import open_video

TEMPLATE = "data.html"
MOST_READ = 5000
MOST_THUMBNAILS = 240
MOST_BY_CLASS = 4
NUM_SAMPLES = 4
NUM_LISTED = 12
UNEVEN = 10  # the largest class has so many times the videos of the smallest: worth a word

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps what takes long in a bar."""

    def __call__(self, items: Iterable[Item], what: str, total: int) -> Iterable[Item]:
        """The items, counted as they come."""


def no_progress(items: Iterable[Item], what: str, total: int) -> Iterable[Item]:  # noqa: ARG001
    """The items without a bar."""
    return items


@dataclass(frozen=True)
class Thumbnail:
    """One video in miniature: data addresses of a frame and of some frames in motion, or why there are none."""

    path: str
    still: str | None = None
    film: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Concern:
    """Something that would spoil a training, or might.

    Args:
        what: a sentence.
        names: the videos, groups or classes that it is about, the first few.
    """

    what: str
    names: tuple[str, ...] = ()


def write_data_page(
    data: VideoDataModule,
    output: Path,
    *,
    title: str,
    progress: Progress = no_progress,
    most_read: int = MOST_READ,
    num_samples: int = NUM_SAMPLES,
) -> list[Path]:
    """Write the page of a data set, a csv file with a line for each video that was opened, and the clips as npz.

    These are called like the page, with ``_videos.csv`` and ``_samples.npz`` behind.

    Args:
        data: with its videos in place.
        output: the ``.html`` file.
        title: what the data set is called.
        progress: wraps the opening of the videos, the clips and the thumbnails in a bar each.
        most_read: of a larger data set so many videos are opened, spread evenly; the page says so.
        num_samples: training videos whose clips are shown.

    Returns:
        the files that were written.

    Raises:
        VidclsError: no training split, or a file cannot be written; nothing half-written is left.
    """
    opened = [data.records[k] for k in evenly(len(data.records), most_read)]
    decoder = data.input_settings.decoder
    facts = list(progress(read_facts(opened, decoder=decoder), "opening", len(opened)))
    readable = [found for found in facts if found.info is not None]
    chosen = evenly(len(data.split("train")), num_samples)
    samples = [clip_samples(data, index) for index in progress(chosen, "clips", len(chosen))]
    counts: dict[str, dict[str, int]] = {name: dict.fromkeys(SPLITS, 0) for name in data.class_names}
    for record in data.records:
        for name in record.classes:
            counts[name][record.split] += 1
    span = span_frames(data, readable)
    lengths = [found.seconds for found in readable if found.seconds is not None]
    content = {
        "title": title,
        "data": data,
        "settings": data.describe_input(),
        "num_videos": len(data.records),
        "num_opened": len(opened),
        "parts": {part: sum(row[part] for row in counts.values()) for part in SPLITS},
        "groups": group_rows(data.records),
        "counts": counts,
        "counts_chart": counts_chart(counts),
        "hours": sum(lengths) / 3600 if len(opened) == len(data.records) else None,
        "seconds_chart": lengths_chart(lengths, unit="seconds") if lengths else None,
        "frames_chart": lengths_chart(
            [found.info.num_frames for found in readable if found.info is not None],
            unit="frames",
            marked=span,
            mark=f"a clip: {span}",
        )
        if readable
        else None,
        "sizes": _most_common(readable, lambda info: f"{info.width_px} x {info.height_px}"),
        "rates": _most_common(readable, lambda info: f"{info.fps:.4g}"),
        "codecs": _most_common(readable, lambda info: info.codec),
        "concerns": concerns(data, facts),
        "thumbnails": thumbnails(data, progress),
        "samples": samples,
    }
    table, arrays = numbers_beside(output)
    try:
        write_text(table, printable(facts_csv(facts)))
        with written_whole(arrays) as path:
            np.savez_compressed(path, **sample_arrays(samples))  # type: ignore[arg-type]
        write_text(output, printable(rendered(TEMPLATE, content)))
    except OSError as error:
        raise VidclsError(f"--output {output}: cannot be written ({error}); pass another place") from error
    return [output, table, arrays]


def numbers_beside(output: Path) -> tuple[Path, Path]:
    """The csv and the npz file that lie beside a page."""
    return output.with_name(f"{output.stem}_videos.csv"), output.with_name(f"{output.stem}_samples.npz")


def concerns(data: VideoDataModule, facts: Sequence[VideoFacts]) -> list[Concern]:
    """What should be looked at before training, the worst first."""
    found: list[Concern] = []

    def add(what: str, names: Sequence[str]) -> None:
        if names:
            shown = tuple(names[:NUM_LISTED])
            more = (f"and {len(names) - NUM_LISTED} more",) if len(names) > NUM_LISTED else ()
            found.append(Concern(what.format(n=len(names)), (*shown, *more)))

    def names_of(chosen: Iterable[VideoFacts]) -> list[str]:
        return [found.record.name for found in chosen]

    add("{n} cannot be read:", [f"{f.record.name}: {f.error}" for f in facts if f.info is None])
    spread = [name for name, row in group_rows(data.records).items() if sum(n > 0 for n in row.values()) > 1]
    add("{n} groups are in more than one split, which are then not independent of each other:", spread)
    labels = {
        part: {name for record in data.records if record.split == part for name in record.classes} for part in SPLITS
    }
    for part in SPLITS:
        if labels[part]:
            lost = [name for name in data.class_names if name not in labels[part]]
            add(f"{{n}} classes have no video in the {part} split:", lost)
        else:
            found.append(Concern(f"The {part} split has no video."))
    readable = [f for f in facts if f.info is not None]
    timeless = [f for f in readable if f.info is not None and f.info.fps <= 0]
    add("{n} state no frame rate, so that nothing in seconds can be said of them:", names_of(timeless))
    short = [f for f in readable if f.info is not None and f.info.num_frames < (span_frames(data, [f]) or 0)]
    policy = data.input_settings.short_videos
    add(f"{{n}} are shorter than a clip (short_videos: {policy} decides what stands there):", names_of(short))
    train = Counter(name for record in data.records if record.split == "train" for name in record.classes)
    if train and max(train.values()) >= UNEVEN * min(train.values()):
        (most, many), (least, few) = train.most_common()[0], train.most_common()[-1]
        what = f"Classes are uneven: {most} has {many} training videos, {least} {few}. See data.class_balanced and "
        found.append(Concern(what + "the mean class accuracy."))
    rates = sorted({round(f.info.fps, 1) for f in readable if f.info is not None and f.info.fps > 0})
    if len(rates) > 1 and rates[-1] >= 1.5 * rates[0] and data.input_settings.stride_seconds is None:
        what = f"Frame rates go from {rates[0]:g} to {rates[-1]:g} per second: data.stride_seconds in place of "
        found.append(Concern(what + "data.stride keeps time even."))
    return found


def group_rows(records: Sequence[VideoRecord]) -> dict[str, dict[str, int]]:
    """Videos by group and split; empty where no group is known."""
    rows: dict[str, dict[str, int]] = {}
    for record in records:
        if record.group is not None:
            rows.setdefault(record.group, dict.fromkeys(SPLITS, 0))[record.split] += 1
    return dict(sorted(rows.items()))


def span_frames(data: VideoDataModule, facts: Sequence[VideoFacts]) -> int | None:
    """Frames that a clip needs, from the first to the last, at the middle rate of the videos; None where unknown."""
    settings = data.input_settings
    rates = [found.info.fps for found in facts if found.info is not None and found.info.fps > 0]
    if not rates and settings.stride_seconds is not None:
        return None
    return settings.span_frames(statistics.median_low(rates) if rates else 0)


def thumbnails(data: VideoDataModule, progress: Progress = no_progress) -> dict[str, list[Thumbnail]]:
    """Some training videos of each class; of very many classes some classes."""
    by_class: dict[str, list[VideoRecord]] = {name: [] for name in data.class_names}
    for record in data.split("train"):
        for name in record.classes:
            by_class[name].append(record)
    names = [data.class_names[k] for k in evenly(len(data.class_names), MOST_THUMBNAILS)]
    each = max(1, min(MOST_BY_CLASS, MOST_THUMBNAILS // max(1, len(names))))
    decoder = data.input_settings.decoder
    found: dict[str, list[Thumbnail]] = {}
    for name in progress(names, "thumbnails", len(names)):
        records = [by_class[name][k] for k in evenly(len(by_class[name]), each)]
        found[name] = []
        for record in records:
            try:
                with open_video(record.path, decoder) as video:
                    frames = small(video.frames(evenly(video.num_frames, NUM_FRAMES)))
            except DecodeError as error:
                found[name].append(Thumbnail(record.name, reason=str(error)))
                continue
            found[name].append(Thumbnail(record.name, webp(frames[len(frames) // 2][None]), webp(frames)))
    return found


def _most_common(facts: Sequence[VideoFacts], what: Callable[..., str]) -> list[tuple[str, int]]:
    return Counter(what(found.info) for found in facts).most_common(NUM_LISTED)
