"""Harnesses that break things on purpose: a short form in every run of the tests, the full one by ``make torture``.

Each harness counts what it injected, and the end of the run shows the sums::

    faults                    injected  recovered  lost
    kill -9 of a training           40         40     0
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

FULL = os.environ.get("VIDCLS_TORTURE") == "full"
PROPERTY = "torture"

Tally = Callable[..., None]


@pytest.fixture
def is_full() -> bool:
    """Whether the full form was asked for."""
    return FULL


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """``tally("kill -9 of a training", recovered=3, lost=0, note="2 inside a write")`` adds to the table at the end."""

    def add(kind: str, *, recovered: int, lost: int, note: str = "") -> None:
        request.node.user_properties.append((PROPERTY, [kind, recovered, lost, note]))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of all faults, those of other processes of pytest-xdist included."""
    recovered: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    notes: dict[str, list[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "call":
                continue
            for name, value in report.user_properties:
                if name == PROPERTY:
                    kind, num_recovered, num_lost, note = value
                    recovered[kind] += num_recovered
                    lost[kind] += num_lost
                    notes.setdefault(kind, []).extend([note] if note else [])
    if not recovered:
        return
    width = max(len(kind) for kind in recovered)
    terminalreporter.section("faults")
    terminalreporter.write_line(f"{'faults':<{width}}  injected  recovered  lost")
    for kind in sorted(recovered):
        injected = recovered[kind] + lost[kind]
        line = f"{kind:<{width}}  {injected:>8}  {recovered[kind]:>9}  {lost[kind]:>4}  {'; '.join(notes[kind])}"
        terminalreporter.write_line(line.rstrip())
    total = [sum(recovered.values()) + sum(lost.values()), sum(recovered.values()), sum(lost.values())]
    terminalreporter.write_line(f"{'all':<{width}}  {total[0]:>8}  {total[1]:>9}  {total[2]:>4}")
