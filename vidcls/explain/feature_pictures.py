"""Probes and embeddings -> pictures with the tables behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vidcls.explain.features import Features, Floats, Probe
from vidcls.figures import save_png
from vidcls.files import write_csv
from vidcls.outputs import named_output

MARKERS = "osD^vP*X"
MOST_IN_LEGEND = 24


def write_probes(probes: Sequence[Probe], folder: Path, *, num_classes: int) -> list[Path]:
    """Write ``probes.png`` and ``probes.csv``: the accuracy of a linear classifier by layer.

    Raises:
        VidclsError: the folder cannot be written to.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(5.0, 0.7 * len(probes) + 2), 4), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(probes))
    axes.plot(places, [p.test_accuracy for p in probes], "o-", color="#0072b2", label="other videos")
    axes.plot(places, [p.train_accuracy for p in probes], "o--", color="#d55e00", label="videos that it was fitted to")
    axes.axhline(1 / num_classes, color="0.5", linewidth=1, linestyle=":", label="chance")
    axes.set_xticks(places, [probe.layer for probe in probes], rotation=45, ha="right")
    axes.set_ylim(0, 1.03)
    axes.set_ylabel("mean class accuracy of a linear probe")
    axes.grid(alpha=0.3)
    axes.legend()
    rows = [["layer", "num_features", "train_mean_class_accuracy", "test_mean_class_accuracy"]]
    rows += [[p.layer, str(p.num_features), f"{p.train_accuracy:.6f}", f"{p.test_accuracy:.6f}"] for p in probes]
    return _write(folder / "probes.png", figure, rows)


def write_embeddings(
    planes: Mapping[str, Floats], features: Features, class_names: Sequence[str], paths: Sequence[str], folder: Path
) -> list[Path]:
    """Write ``embedding.png`` and ``embedding.csv``: each video as a point, its class as colour and shape.

    Raises:
        VidclsError: the folder cannot be written to.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    colours = colormaps["tab10" if len(class_names) <= 10 else "tab20"]
    figure = Figure(figsize=(5 * len(planes) + 1.6, 4.6), layout="constrained")
    for axes, (title, points) in zip(figure.subplots(1, len(planes), squeeze=False)[0], planes.items(), strict=True):
        for number, name in enumerate(class_names[: colours.N * len(MARKERS)]):  # then colours and shapes recur
            chosen = points[features.labels % (colours.N * len(MARKERS)) == number]
            marker = MARKERS[number // colours.N % len(MARKERS)] if len(class_names) > 10 else MARKERS[number % 8]
            axes.scatter(*chosen.T, s=14, color=colours(number % colours.N), marker=marker, alpha=0.75, label=name)
        axes.set_title(title)
        axes.set_xticks([])
        axes.set_yticks([])
    if len(class_names) <= MOST_IN_LEGEND:
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    columns = [f"{title}_{axis}" for title in planes for axis in ("x", "y")]
    rows = [["path", "label", *columns]]
    for k, (label, index) in enumerate(zip(features.labels, features.indices, strict=True)):
        values = [f"{value:.6g}" for points in planes.values() for value in points[k]]
        rows.append([paths[index], class_names[label], *values])
    return _write(folder / "embedding.png", figure, rows)


def _write(picture: Path, figure: object, rows: Sequence[Sequence[str]]) -> list[Path]:
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    table = picture.with_suffix(".csv")
    with named_output(picture.parent):
        save_png(figure, picture)
        write_csv(table, rows)
    return [picture, table]
