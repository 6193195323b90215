"""The table of a comparison for a paper: signs of names and numbers mean nothing to LaTeX."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vidcls.compare.cost import Cost
from vidcls.compare.latex import as_latex, escaped
from vidcls.compare.results import by_model, found_runs
from vidcls.compare.table import model_row


def test_a_table_has_a_line_for_each_model_and_the_conditions_as_comments(
    made_run: object, tmp_path: Path, cost: Cost
) -> None:
    made_run("late_fusion", 0, ("left",) * 4, train_seconds=60.0)  # type: ignore[operator]
    models, _ = by_model(found_runs(tmp_path)[0])
    row = model_row("late_fusion", models["late_fusion"], cost, batch_size=8)
    lines = as_latex(
        [row, replace(row, model="b&c", still_improving=True)], ["made by hand\nin two lines"]
    ).splitlines()
    assert lines[:2] == [r"% needs \usepackage{booktabs}", "% made by hand in two lines"]
    assert lines[2] == rf"\begin{{tabular}}{{l{'r' * 15}}}"
    assert lines[4].startswith(r"model & top-1 \% & 95 \% interval & ")
    assert lines[6].startswith(r"late\_fusion & 75.0 & ")
    assert lines[7].startswith(r"b\&c $\dagger$ & 75.0 & ")
    assert {line.count(" & ") for line in (lines[4], lines[6], lines[7])} == {15}
    assert lines[-1] == r"\end{tabular}"


def test_every_special_sign_is_escaped() -> None:
    assert escaped(r"a\b_c % ± ~") == r"a\textbackslash{}b\_c \% $\pm$ \textasciitilde{}"
