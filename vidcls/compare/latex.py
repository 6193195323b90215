"""The rows of a comparison -> a table for a paper in LaTeX, with the rules of the package ``booktabs``."""

from __future__ import annotations

from collections.abc import Sequence

from vidcls.compare.table import EXACT, MARK, ModelRow, table_cells

ESCAPED = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    MARK: r"$\dagger$",
    EXACT: r"$\ddagger$",
}


def as_latex(rows: Sequence[ModelRow], conditions: Sequence[str]) -> str:
    """A ``tabular`` for the document, with what it was made under as comments above it.

    Args:
        rows: one for each model.
        conditions: lines such as the command and the machine.
    """
    header, *lines = [[escaped(cell) for cell in line] for line in table_cells(rows)]
    comments = [f"% {' '.join(line.split())}" for line in ("needs \\usepackage{booktabs}", *conditions)]
    table = [
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        _line(header),
        r"\midrule",
        *map(_line, lines),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([*comments, *table, ""])


def escaped(text: str) -> str:
    """Text in which no sign means anything to LaTeX."""
    return "".join(ESCAPED.get(sign, sign) for sign in text)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
