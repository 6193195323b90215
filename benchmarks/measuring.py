"""What the benchmarks share: paired rounds, medians with their spread, one table, and the same numbers as JSON."""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from vidcls.training.machine import this_machine


@dataclass(frozen=True)
class Measured:
    """Values of one row, one for each round."""

    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        return f"{min(self.values):.4g} to {max(self.values):.4g}"


def parser(doc: str | None) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    found.add_argument("--quick", action="store_true", help="seconds in place of minutes: shows that it runs")
    found.add_argument("--output", type=Path, help="where the numbers go as JSON")
    return found


def paired(rows: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, Measured]:
    """Each row once per round, so that a slow minute of the machine meets all of them."""
    values: dict[str, list[float]] = {name: [] for name in rows}
    for number in range(rounds):
        for name, measure in rows.items():
            values[name].append(measure())
            print(f"round {number + 1}/{rounds}: {name}: {values[name][-1]:.4g}", file=sys.stderr)
    return {name: Measured(found) for name, found in values.items()}


def keep_freed_memory() -> None:
    """Have the C library (glibc) keep what is freed for the next step, in place of giving it back to the system.

    What is given back costs page faults when it is taken again; which of two equal loops pays them is luck, and some
    milliseconds a step.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as malloc.h has them
            libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
            libc.mallopt(M_MMAP_MAX, 0)


def ratio(above: Measured, below: Measured) -> float:
    """The median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(above.values, below.values, strict=True))


def report(
    title: str,
    columns: tuple[str, ...],
    rows: list[tuple[object, ...]],
    output: Path | None,
    *,
    details: object = None,
) -> None:
    """Print the table for a document, with the machine under it, and write the numbers."""
    cells = [[_text(value) for value in row] for row in rows]
    print(f"\n{title}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"| {' | '.join(['---'] + ['---:'] * (len(columns) - 1))} |")
    for row in cells:
        print(f"| {' | '.join(row)} |")
    print(f"\n{date.today().isoformat()}; {this_machine().describe()}")
    if output is not None:
        content = {
            "title": title,
            "date": date.today().isoformat(),
            "machine": this_machine().to_dict(),
            "rows": [dict(zip(columns, row, strict=True)) for row in rows],
            "details": details,
        }
        output.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")


def _text(value: object) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )
