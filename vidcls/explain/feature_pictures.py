"""Probes and embeddings -> pictures with the tables behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.explain.features import Features, Floats, Probe
from vidcls.figures import COLORS, COLUMN_INCHES, MARKERS, png_figure, save_png
from vidcls.files import write_csv
from vidcls.outputs import named_output

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HUES = COLORS[:7]  # without yellow, which is faint where points are hollow
MOST_IN_LEGEND = 24
METHODS = {"PCA": "the two directions of most variance", "t-SNE": "neighbours stay neighbours"}


def write_probes(probes: Sequence[Probe], folder: Path, *, num_classes: int) -> list[Path]:
    """Write ``probes.png`` and ``probes.csv``: the accuracy of a linear classifier by layer.

    Raises:
        VidclsError: the folder cannot be written to.
    """
    figure = png_figure(COLUMN_INCHES, 1.7 + 0.3 * len(probes))
    axes = figure.add_subplot()
    places = range(len(probes))
    axes.plot([p.test_accuracy for p in probes], places, "o-", color=COLORS[0], label="other videos")
    axes.plot([p.train_accuracy for p in probes], places, "s--", color=COLORS[3], label="videos that it was fitted to")
    axes.axvline(1 / num_classes, color="0.5", linewidth=1, linestyle=":", label="chance")
    axes.set_yticks(places, [probe.layer for probe in probes])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.03)
    axes.set_xlabel("mean class accuracy of a linear probe")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    rows = [["layer", "num_features", "train_mean_class_accuracy", "test_mean_class_accuracy"]]
    rows += [[p.layer, str(p.num_features), f"{p.train_accuracy:.6f}", f"{p.test_accuracy:.6f}"] for p in probes]
    return _write(folder / "probes.png", figure, rows)


def embedding_figure(
    planes: Mapping[str, Floats], features: Features, class_names: Sequence[str], *, layer: str
) -> Figure:
    """Each plane with a point for each video, its class as colour and shape; points are hollow, so that none is hidden.

    Args:
        planes: points ``(N, 2)`` by the method that laid them out.
        features: of the N videos.
        class_names: K names; the first 24 classes have a legend, and after 56 colours and shapes recur.
        layer: whose features these are.
    """
    num_looks, has_legend = len(HUES) * len(MARKERS), len(class_names) <= MOST_IN_LEGEND
    legend_inches = 0.3 + 0.2 * ((len(class_names) + 1) // 2) if has_legend else 0.0
    figure = png_figure(COLUMN_INCHES, 0.9 + 3.9 * len(planes) + legend_inches)
    grid = figure.subplots(len(planes), 1, squeeze=False)[:, 0]
    for axes, (title, points) in zip(grid, planes.items(), strict=True):
        for number, name in enumerate(class_names[:num_looks]):
            chosen = points[features.labels % num_looks == number]
            colour, marker = HUES[number % len(HUES)], MARKERS[number % len(MARKERS)]
            axes.scatter(
                *chosen.T, s=24, facecolors="none", edgecolors=colour, linewidths=1.1, marker=marker, label=name
            )
        axes.set_title(f"{title}: {METHODS[title]}" if title in METHODS else title, fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    num, width = len(features.labels), features.by_layer[layer].shape[1]
    figure.suptitle(
        f"layer {layer}, {width} features\na point is a test video, of {num}; near means alike", fontsize=11
    )
    if has_legend:
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    return figure


def write_embeddings(
    planes: Mapping[str, Floats],
    features: Features,
    class_names: Sequence[str],
    paths: Sequence[str],
    folder: Path,
    *,
    layer: str,
) -> list[Path]:
    """Write ``embedding.png``, see :func:`embedding_figure`, and ``embedding.csv``, a line for each video.

    Raises:
        VidclsError: the folder cannot be written to.
    """
    figure = embedding_figure(planes, features, class_names, layer=layer)
    columns = [f"{title}_{axis}" for title in planes for axis in ("x", "y")]
    rows = [["path", "label", *columns]]
    for k, (label, index) in enumerate(zip(features.labels, features.indices, strict=True)):
        values = [f"{value:.6g}" for points in planes.values() for value in points[k]]
        rows.append([paths[index], class_names[label], *values])
    return _write(folder / "embedding.png", figure, rows)


def _write(picture: Path, figure: Figure, rows: Sequence[Sequence[str]]) -> list[Path]:
    table = picture.with_suffix(".csv")
    with named_output(picture.parent):
        save_png(figure, picture)
        write_csv(table, rows)
    return [picture, table]
