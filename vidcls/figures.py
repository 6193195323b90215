"""A figure of matplotlib -> the same with every text as it stands: class names and paths may have dollar signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plain_texts(figure: Figure) -> Figure:
    """Take no text for a formula; to be called when all is drawn, before it is saved."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
    return figure
