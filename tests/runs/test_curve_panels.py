"""Which lines of a training are drawn together, and that each can be told from the others."""

from __future__ import annotations

from matplotlib.figure import Figure

from vidcls.runs.curve_panels import RATE_TITLE, curve_panels, draw_panel
from vidcls.runs.curves import Curve
from vidcls.tasks import SingleLabel

CURVES: dict[str, Curve] = {
    "train/loss": [(4, 3.0), (9, 2.0)],
    "train/spatial_loss": [(4, 1.0), (9, 0.5)],
    "train/temporal_loss": [(4, 2.0), (9, 1.5)],
    "train/plain_loss": [(5, 1.5), (11, 1.0)],
    "train/plain_loss_spread": [(5, 0.25), (11, 0.125)],
    "val/loss": [(5, 1.75), (11, 1.25)],
    "train/top1": [(5, 0.5), (11, 0.75)],
    "val/top1": [(5, 0.5), (11, 1.0)],
    "val/mean_class_accuracy": [(5, 0.5), (11, 1.0)],
    "val/spatial_top1": [(5, 0.25), (11, 0.5)],
    "val/spatial_mean_class_accuracy": [(5, 0.25), (11, 0.75)],
    "lr-SGD/pg1": [(4, 0.1), (9, 0.01)],
    "lr-SGD/pg2": [(4, 0.1), (9, 0.01)],
}


def test_the_loss_of_training_and_of_validation_mean_the_same() -> None:
    loss, minimised, accuracy, rate = curve_panels(CURVES, SingleLabel)
    assert [line.curve for line in loss.lines] == [CURVES["train/plain_loss"], CURVES["val/loss"]]
    assert [line.label.split(",")[0] for line in loss.lines] == ["training", "validation"]
    assert [line.spread for line in loss.lines] == [(0.25, 0.125), ()]
    assert [line.label for line in minimised.lines] == ["sum of spatial and temporal", "spatial", "temporal"]
    assert (accuracy.is_share, rate.title) == (True, RATE_TITLE)


def test_a_run_that_logged_no_such_loss_has_none_beside_that_of_validation() -> None:
    old = {name: curve for name, curve in CURVES.items() if not name.startswith("train/plain")}
    loss = curve_panels(old, SingleLabel)[0]
    assert [line.label for line in loss.lines] == ["validation"]


def test_lines_on_top_of_each_other_are_one_that_is_called_like_both() -> None:
    _, _, accuracy, rate = curve_panels(CURVES, SingleLabel)
    labels = [line.label for line in accuracy.lines]
    assert "validation, top-1 and mean class accuracy (equal)" in labels
    assert "training, top-1" in labels  # the same at one point of two
    assert "validation, spatial alone, top-1" in labels
    assert [line.label for line in rate.lines] == ["lr-SGD/pg1 = lr-SGD/pg2"]


def test_no_two_lines_of_a_panel_look_alike_and_the_spread_is_a_band() -> None:
    axes = Figure().subplots()
    panel = curve_panels(CURVES, SingleLabel)[0]
    draw_panel(axes, panel)
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == len(panel.lines) == 2
    (band,) = axes.collections
    assert {tuple(point) for point in band.get_paths()[0].vertices.tolist()} >= {(5, 1.25), (5, 1.75), (11, 0.875)}


def test_points_of_epochs_lie_at_their_epochs_and_those_of_steps_at_their_steps() -> None:
    loss, minimised, accuracy, _ = curve_panels(CURVES | {"epoch": [(4, 0), (5, 0), (9, 1), (11, 1)]}, SingleLabel)
    assert [line.curve for line in loss.lines] == [[(1, 1.5), (2, 1.0)], [(1, 1.75), (2, 1.25)]]
    assert (loss.is_by_epoch, minimised.is_by_epoch, accuracy.is_by_epoch) == (True, False, True)
    axes = Figure().subplots()
    draw_panel(axes, loss)
    assert axes.get_xlabel() == "epoch"
    assert all(tick == round(tick) for tick in axes.get_xticks())
    draw_panel(axes, minimised)
    assert axes.get_xlabel() == "optimiser step"


def test_several_validations_of_one_epoch_lie_at_their_steps() -> None:
    loss = curve_panels(CURVES | {"epoch": [(5, 0), (11, 0)]}, SingleLabel)[0]
    assert not loss.is_by_epoch
    assert loss.lines[1].curve == CURVES["val/loss"]


def test_what_guessing_reaches_is_a_dotted_line_of_the_accuracy() -> None:
    panels = curve_panels(CURVES, SingleLabel(["a", "b", "c", "d", "e"]))
    assert [panel.chance for panel in panels] == [None, None, 0.2, None]
    axes = Figure().subplots()
    draw_panel(axes, panels[2])
    (line,) = (line for line in axes.lines if line.get_linestyle() == ":" and list(line.get_ydata()) == [0.2, 0.2])
    assert line.get_label() == "guessing, 0.2"
