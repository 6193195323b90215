"""What a check of a data set found -> lines on the screen, problems first, and all of it as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from vidcls.checks.finding import Finding
from vidcls.checks.findings import CheckedData
from vidcls.checks.labels import class_counts
from vidcls.checks.parts import num_frames_of
from vidcls.console import say, visible
from vidcls.loading.loading_speed import LoadingSpeed
from vidcls.types import SPLITS

if TYPE_CHECKING:
    from vidcls.loading.training_forecast import TrainingForecast

MOST_CLASSES = 40


def print_report(
    data: CheckedData,
    found: Sequence[Finding],
    loading: Sequence[str],
    *,
    num_opened: int,
    seconds: float,
    most_lines: int,
) -> None:
    """Print problems, what is good to know, and a summary.

    Args:
        data: what was checked.
        found: what was found.
        loading: lines on how fast clips load.
        num_opened: files.
        seconds: that it took.
        most_lines: of each finding.
    """
    problems = [finding for finding in found if finding.is_problem]
    notes = [finding for finding in found if not finding.is_problem]
    lines = []
    if problems:
        lines += ["PROBLEMS", *_listed(problems, most_lines)]
    if notes:
        lines += ["GOOD TO KNOW", *_listed(notes, most_lines)]
    lines += ["SUMMARY", *(f"  {name:<10}{text}" for name, text in _summary(data, loading))]
    if data.has_labels:
        lines += ["", *_class_table(data)]
    known = len({record.source for record in data.records}) - num_opened
    verdict = f"{len(problems)} kinds of problems" if len(problems) != 1 else "1 kind of problem"
    is_read = not any(data.health(record).num_unread for record in data.records)
    if not problems:
        verdict = "intact" if is_read else "intact as far as it was read"
    lines += ["", f"{verdict}; {num_opened} files opened, {known} known; {seconds:.1f} s"]
    for line in lines:
        say(line)


def loading_lines(speed: LoadingSpeed | None) -> list[str]:
    """How fast clips load, where nothing can be said of a training."""
    if speed is None:
        return []
    return [f"{speed.clips_per_second:.3g} clips per second in one process ({speed.num_clips} measured)"]


def as_plain(
    data: CheckedData,
    found: Sequence[Finding],
    speed: LoadingSpeed | None,
    forecast: TrainingForecast | None,
    *,
    num_opened: int,
    seconds: float,
) -> str:
    """Everything as JSON: ``findings``, ``classes``, ``loading``, ``training``, and ``videos``, each with its facts."""
    videos = [
        {
            "name": record.name,
            "path": record.source.name,
            "label": record.label,
            "split": record.split,
            "group": record.group,
            **({} if record.part is None else {"part": record.part.text}),
            **asdict(data.health(record)),
        }
        for record in data.records
    ]
    plain = {
        "is_sound": not any(finding.is_problem for finding in found),
        "num_videos": len(data.records),
        "num_opened": num_opened,
        "seconds": round(seconds, 3),
        "settings": data.settings.to_dict(),
        "findings": [asdict(finding) for finding in found],
        "classes": class_counts(data.records) if data.has_labels else {},
        "loading": asdict(speed) if speed is not None else None,
        "training": None if forecast is None else asdict(forecast),
        "videos": videos,
    }
    return json.dumps(plain, indent=1)


def _listed(found: Sequence[Finding], most_lines: int) -> Iterator[str]:
    for finding in found:
        yield f"  {finding.title}" + (f" ({finding.remedy})" if finding.remedy else "")
        yield from (f"    {line}" for line in finding.lines[:most_lines])
        if len(finding.lines) > most_lines:
            yield f"    and {len(finding.lines) - most_lines} more: --json has all"
    yield ""


def _summary(data: CheckedData, loading: Sequence[str]) -> Iterator[tuple[str, str]]:
    healths = [data.health(record) for record in data.sound]
    lengths = [num_frames_of(record.part, data.health(record)) for record in data.sound]
    rated = [(length, health.fps) for length, health in zip(lengths, healths, strict=True) if health.fps > 0]
    minutes = sum(length / fps for length, fps in rated) / 60
    num_bytes = sum(data.health(record).num_bytes for record in data.sound_files)
    num_whole = sum(not health.num_unread for health in healths)
    in_part = (
        f"; {len(healths) - num_whole} read in part, too long for the time allowed" if num_whole < len(healths) else ""
    )
    yield "videos", f"{len(data.records)}, of which {num_whole} can be read whole{in_part}"
    if not healths:
        return
    spans = sorted({data.settings.span_frames(health.fps) for health in healths})
    span = f"{spans[0]}" if len(spans) == 1 else f"{spans[0]} to {spans[-1]}"
    what = "video" if len(data.sound_files) == len(lengths) else "part"
    yield "frames", f"{sum(lengths)}; {min(lengths)} to {max(lengths)} in a {what}; {data.settings.span_text(span)}"
    yield "length", f"{minutes:.1f} minutes, {num_bytes / 1e6:.1f} MB"
    yield "sizes", _most_common([f"{health.width_px}x{health.height_px}" for health in healths])
    yield "rates", _most_common([f"{health.fps:.4g}" for health in healths]) + " frames per second"
    yield "codecs", _most_common([health.codec for health in healths])
    yield from zip(["loading", *[""] * len(loading)], loading, strict=False)


def _class_table(data: CheckedData) -> Iterator[str]:
    counts = class_counts(data.records)
    names = list(counts)[:MOST_CLASSES]
    width = max(len("class"), *(len(visible(name)) for name in names))
    yield f"  {'class':<{width}}" + "".join(f"{split:>8}" for split in SPLITS)
    for name in names:
        yield f"  {visible(name):<{width}}" + "".join(f"{counts[name][split]:>8}" for split in SPLITS)
    if len(counts) > MOST_CLASSES:
        yield f"  and {len(counts) - MOST_CLASSES} classes more: --json has all"
    totals = [sum(row[split] for row in counts.values()) for split in SPLITS]
    yield f"  {'all':<{width}}" + "".join(f"{total:>8}" for total in totals)


def _most_common(texts: Sequence[str]) -> str:
    ranked = Counter(texts).most_common()
    more = f" and {len(ranked) - 5} more" if len(ranked) > 5 else ""
    return ", ".join(f"{text} ({number})" for text, number in ranked[:5]) + more
