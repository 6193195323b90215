"""The figure of the layers: every layer is named, and numbers are numbers."""

from __future__ import annotations

import pytest

from vidcls.callbacks.layer_figure import MOST_NAMES, layers_figure
from vidcls.figures import plain_texts

Row = dict[str, str | int | float | None]


def rows(num_layers: int) -> list[Row]:
    """Gradients from 1e-5 to 10 of so many layers over three steps, and no other quantity."""
    nothing: Row = {"dead": None, "saturated": None, "activation_norm": None}
    names = [f"stages.block{k}.{k}" for k in range(num_layers)]
    return [
        {"step": step, "layer": name, "kind": "Conv2d", "gradient_norm": 10.0 ** (1 - 6 * k / num_layers), **nothing}
        for step in (0, 20, 40)
        for k, name in enumerate(names)
    ]


@pytest.mark.parametrize(("num_layers", "num_named"), [(1, 1), (26, 26), (MOST_NAMES, MOST_NAMES), (160, 54)])
def test_every_layer_is_named_or_the_title_says_how_many(num_layers: int, num_named: int) -> None:
    figure = layers_figure(rows(num_layers))
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "stages.block0.0"
    assert len(set(names)) == len(names) == num_named
    title = axes.get_title(loc="right")
    assert (f"{num_named} of {num_layers} layers named" in title) == (num_named < num_layers)


def test_numbers_at_a_logarithmic_scale_are_no_formulas() -> None:
    figure = plain_texts(layers_figure(rows(26)))
    figure.canvas.draw()
    scale = figure.axes[1]  # of the colours
    texts = [label.get_text() for label in scale.get_yticklabels() if label.get_text()]
    assert {"0.0001", "0.01", "1"} <= set(texts)
    assert not any("$" in text or "math" in text for text in texts)


def test_layers_without_any_value_make_an_empty_figure() -> None:
    assert len(layers_figure([]).axes) == 1
