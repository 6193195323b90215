"""How good are the heads of a probe on sessions, or people, that are not in its training?

Grouped folds, of each of which only the training part chooses and fits heads; several seeds cut the folds in several
ways. Features of all videos are computed once. One row for each set of candidates.
Usage: python benchmarks/probes.py [--data CSV] [--num_folds N] [--seeds N ...] [--backbone NAME] [--with_flow]
       [--features DIR] [--num_workers N] [--rows NAME ...] [--quick] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from clips import real_data, write_originals
from measuring import parser, report
from torch import Tensor

from vidcls.callbacks.probe_features import probe_features
from vidcls.cli.data_source import resolved
from vidcls.cli.probe_input import with_input
from vidcls.loading import VideoDataModule
from vidcls.loading.from_config import data_module_of
from vidcls.models import Probe
from vidcls.models.build import instantiate_model
from vidcls.probe import Choice, ProbeSettings, choose_heads

DEFAULT = ProbeSettings()
ROWS: dict[str, ProbeSettings] = {
    "default": DEFAULT,
    "best_alone": replace(DEFAULT, ensemble=1),
    "logistic": replace(DEFAULT, kinds=["logistic"], ensemble=1),
    "svm": replace(DEFAULT, kinds=["svm"], ensemble=1),
    "mean": replace(DEFAULT, descriptors=["mean"], ensemble=1),
    "attentive": replace(DEFAULT, kinds=["attentive"], ensemble=1, num_folds=2),  # one candidate: nothing is chosen
    "linear": replace(DEFAULT, kinds=["linear"], scales=["none"], ensemble=1),
}
"""Candidates by what is to be compared."""


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--data", type=Path, help="csv file; default: fall_overhead of the real clips")
    options.add_argument("--num_folds", type=int, default=5)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the folds")
    options.add_argument("--backbone", default="efficientnet_lite0")
    options.add_argument("--weights", default="DEFAULT")
    options.add_argument("--with_flow", action="store_true", help="a second network on optical flow")
    options.add_argument("--features", type=Path, help="where features are kept")
    options.add_argument("--num_workers", type=int, default=2)
    options.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=["default"])
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.quick:
            given.backbone, given.weights, given.num_folds, given.seeds, given.num_workers = "small", None, 2, [0], 0
            write_originals(Path(folder) / "clips", num_videos=12, num_frames=6)
        _measure(given, Path(folder))


def _measure(given: argparse.Namespace, folder: Path) -> None:
    words = _words(given, folder)
    whole = resolved(_config(given), None, words)
    arguments = whole.arguments | {"weights": given.weights}
    if given.with_flow:
        arguments["flow_weights"] = given.weights
    data = data_module_of(whole.data, streams=whole.streams)
    model = instantiate_model(whole.model_class, data.class_names, data.clip, arguments)
    assert isinstance(model, Probe)
    found = probe_features(model.eval(), data, data.records, given.features or folder / "features")
    tokens = {record.name: own for record, own in zip(found.records, found.tokens, strict=True)}
    rows = []
    for name in given.rows:
        settings = replace(ROWS[name], num_epochs=[1]) if given.quick else ROWS[name]
        scores = []
        seconds: list[float] = []
        for seed in given.seeds:
            probabilities: dict[str, Tensor] = {}
            for fold in range(given.num_folds):
                cut = {"num_folds": given.num_folds, "fold": fold, "fold_seed": seed}
                split = data_module_of({**whole.data, **cut}, streams=whole.streams)
                started = time.process_time()
                choice = _chosen(split, tokens, settings)
                seconds.append(time.process_time() - started)
                for record in split.split("test"):
                    if record.name in tokens:
                        probabilities[record.name] = scored(choice, tokens[record.name])
            scores.append(_mean_class_accuracy(data, probabilities))
            print(f"{name}, seed {seed}: {scores[-1]:.3f}", file=sys.stderr)
        each = " ".join(f"{score:.3f}" for score in scores)
        rows.append((name, len(choice.rows), statistics.mean(scores), each, statistics.mean(seconds)))
    flow = " and flow" if given.with_flow else ""
    report(
        f"Mean class accuracy, {given.num_folds} grouped folds of {len(data.records)} videos, {given.backbone}{flow}",
        ("candidates", "number", "mean over seeds", "each seed", "CPU s for one choice"),
        rows,
        given.output,
    )


def _config(given: argparse.Namespace) -> str:
    return "two_stream_probe" if given.with_flow else "probe"


def _words(given: argparse.Namespace, folder: Path) -> list[str]:
    real = real_data()
    path = given.data or (None if real is None or given.quick else real / "fall_overhead" / "clips.csv")
    if path is not None:
        words = ["--data", "video_csv", "--data.dataset.path", str(path)]
    else:
        words = ["--data", "video_folder", "--data.dataset.root", str(folder / "clips")]
    if given.backbone != "small":
        words += ["--model.backbone", given.backbone, "--model.weights", str(given.weights)]
        words = with_input(words)
    else:
        words += ["--model.backbone", "small", "--data.transform.crop_px", "[32, 32]", "--data.num_snippets", "3"]
    return [*words, "--data.num_workers", str(given.num_workers)]


def _chosen(data: VideoDataModule, tokens: Mapping[str, Mapping[str, Tensor]], settings: ProbeSettings) -> Choice:
    """Heads by the training and the validation videos of one cut."""
    records = [r for split in ("train", "val") for r in data.split(split) if r.name in tokens]  # type: ignore[arg-type]
    targets = [int(data.task.target(record.classes)) for record in records]
    groups = [record.group for record in records]
    own = [tokens[record.name] for record in records]
    return choose_heads(own, targets, groups, settings, class_names=data.class_names, seed=0)


def scored(choice: Choice, tokens: Mapping[str, Tensor]) -> Tensor:
    """Probabilities ``(K,)`` of a video, the mean over its views."""
    with torch.inference_mode():
        return choice.head({level: own.float() for level, own in tokens.items()}).softmax(dim=1).mean(dim=0)


def _mean_class_accuracy(data: VideoDataModule, probabilities: Mapping[str, Tensor]) -> float:
    """Over all videos that were tested; one that cannot be read is wrong."""
    right: dict[str, list[bool]] = {}
    for record in data.records:
        found = probabilities.get(record.name)
        is_right = found is not None and data.class_names[int(found.argmax())] == record.label
        right.setdefault(record.label, []).append(is_right)
    return float(np.mean([np.mean(own) for own in right.values()]))


if __name__ == "__main__":
    main()
