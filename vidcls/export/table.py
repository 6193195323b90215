"""What was exported, how it compares, and what a clip costs -> lines for a terminal, and a row for a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidcls.export.timing import Timing, threads

if TYPE_CHECKING:
    from vidcls.export.export import Exported


def lines(found: Exported, timings: Sequence[Timing] = ()) -> list[str]:
    """The file, its parity, and the milliseconds of one clip."""
    parity = found.parity
    said = [
        f"wrote {found.path} ({found.facts.precision}, {megabytes(found.num_bytes)}; weights of the checkpoint "
        f"{megabytes(found.checkpoint_bytes)})",
        f"{found.videos}: largest difference of a score {parity.largest_difference:.1e} ({parity.where}), same answer "
        f"{100 * parity.agreement:.1f} %",
    ]
    if parity.accuracy_before is not None and parity.accuracy_after is not None:
        said.append(f"{parity.metric}: {parity.accuracy_before:.3f} before, {parity.accuracy_after:.3f} after")
    said.append(f"fixed: {fixed(found.facts.fixed)}; any number of clips at once")
    return said + timing_lines(timings, found.path.suffix)


def timing_lines(timings: Sequence[Timing], suffix: str) -> list[str]:
    """A row for each way to run it, a column for each number of threads."""
    if not timings:
        return []
    counts = list(dict.fromkeys(timing.num_threads for timing in timings))
    said = ["ms per clip    " + "".join(f"{threads(num):>12}" for num in counts)]
    for way in dict.fromkeys(timing.way for timing in timings):
        rows = {timing.num_threads: timing for timing in timings if timing.way == way}
        cells = "".join(f"{cell(rows[num].median):>12}" for num in counts)
        reason = next((f"  ({rows[num].reason})" for num in counts if rows[num].reason), "")
        said.append(f"{suffix if way == 'file' else way:15}{cells}{reason}")
    return said


def cell(milliseconds: float | None) -> str:
    """Milliseconds, or a dash."""
    return "-" if milliseconds is None else f"{milliseconds:.2f}"


def megabytes(num_bytes: int) -> str:
    """Bytes in millions."""
    return f"{num_bytes / 1e6:.1f} MB"


def fixed(sizes: object) -> str:
    """``T 16, height 112, width 112``."""
    assert isinstance(sizes, dict)
    return ", ".join(f"{name} {size}" for name, size in sizes.items())
