"""What is written at the axes of every figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.figures import plain_texts, png_figure, save_png


@pytest.mark.parametrize("values", [(1e-5, 1e3), (0.61, 0.95)], ids=["decades", "within one"])
def test_logarithmic_axes_have_plain_numbers(values: tuple[float, float], tmp_path: Path) -> None:
    figure = png_figure(4, 3)
    axes = figure.add_subplot()
    axes.plot([1, 2], values)
    axes.set_yscale("log")
    save_png(figure, tmp_path / "figure.png")
    labels = [*axes.get_yticklabels(), *axes.get_yticklabels(minor=True)]
    texts = [label.get_text() for label in labels if label.get_text()]
    assert len(texts) >= 2
    assert all(float(text) > 0 for text in texts)


def test_a_class_called_like_a_formula_keeps_its_name() -> None:
    figure = png_figure(4, 3)
    figure.add_subplot().set_title("$10^2$")
    plain_texts(figure).canvas.draw()
    assert not figure.axes[0].title.get_parse_math()
