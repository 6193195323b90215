"""How good are the heads of a probe on sessions, or people, that are not in its training?

Grouped folds, of each of which only the training part chooses and fits heads; several seeds cut the folds in several
ways. Features of all videos are computed once. One row for each set of candidates and each network; of several networks
also one for the mean of their probabilities, as of an ensemble with equal weights. The numbers as JSON have the
probabilities of each video.
Usage: python benchmarks/probes.py [--data CSV] [--num_folds N] [--seeds N ...] [--backbone NAME ...] [--with_flow]
       [--features DIR] [--num_workers N] [--rows NAME ...] [--confusion FILE.png] [--quick] [--output FILE.json]
With --with_flow a probe of the first network on frames and on flow joins those of the networks on frames.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from clips import real_data, write_originals
from measuring import parser, report
from numpy.typing import NDArray
from torch import Tensor

from vidcls.callbacks.pictures import draw_confusion_matrix
from vidcls.callbacks.probe_features import probe_features
from vidcls.cli.data_source import resolved
from vidcls.cli.probe_input import with_input
from vidcls.loading import VideoDataModule
from vidcls.loading.from_config import data_module_of
from vidcls.models import Probe
from vidcls.models.build import instantiate_model
from vidcls.probe import Choice, ProbeSettings, choose_heads

Probabilities = dict[str, Tensor]
"""``(K,)`` of each video, by its name."""
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
    options.add_argument("--backbone", nargs="+", default=["efficientnet_lite0"], help="one probe for each")
    options.add_argument("--weights", default="DEFAULT")
    options.add_argument("--with_flow", action="store_true", help="also a probe on frames and optical flow")
    options.add_argument("--features", type=Path, help="where features are kept")
    options.add_argument("--num_workers", type=int, default=2)
    options.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=["default"])
    options.add_argument("--confusion", type=Path, help="a picture of the last row, all seeds together")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.quick:
            given.weights, given.num_folds, given.seeds, given.num_workers = None, 2, [0], 0
            given.backbone = ["small", "resnet20"]
            write_originals(Path(folder) / "clips", num_videos=12, num_frames=6)
        _measure(given, Path(folder))


def _measure(given: argparse.Namespace, folder: Path) -> None:
    networks = [(name, False) for name in given.backbone]
    if given.with_flow:
        networks.append((given.backbone[0], True))
    answers: dict[str, dict[str, list[Probabilities]]] = {}  # by candidates, by network: of each seed
    rows: list[tuple[object, ...]] = []
    for backbone, has_flow in networks:
        member = _Member(given, folder, backbone, has_flow=has_flow)
        for name in given.rows:
            settings = replace(ROWS[name], num_epochs=[1]) if given.quick else ROWS[name]
            found, seconds, num_candidates = member.tested(settings)
            answers.setdefault(name, {}).setdefault(member.name, found)
            rows.append((member.name, name, num_candidates, *_scores(member.data, found), seconds))
    if len(networks) > 1:
        for name, members in answers.items():
            joined = [_mean_of(of_seed) for of_seed in zip(*members.values(), strict=True)]
            members["all"] = joined
            rows.append(("all, mean of probabilities", name, "", *_scores(member.data, joined), ""))
    if given.confusion is not None:
        draw_confusion_matrix(
            _confusions(member.data, list(answers[name].values())[-1]), member.data.class_names, given.confusion
        )
    report(
        f"Mean class accuracy, {given.num_folds} grouped folds of {len(member.data.records)} videos",
        ("network", "candidates", "number", "mean over seeds", "each seed", "CPU s for one choice"),
        rows,
        given.output,
        details={
            "class_names": member.data.class_names,
            "labels": {record.name: record.label for record in member.data.records},
            "probabilities": {
                name: {
                    network: [{video: own.tolist() for video, own in of_seed.items()} for of_seed in found]
                    for network, found in members.items()
                }
                for name, members in answers.items()
            },
        },
    )


class _Member:
    """One network, its features of all videos, and the tests of heads on them."""

    def __init__(self, given: argparse.Namespace, folder: Path, backbone: str, *, has_flow: bool) -> None:
        self.name = f"{backbone} and flow" if has_flow else backbone
        self.given = given
        self.whole = resolved("two_stream_probe" if has_flow else "probe", None, _words(given, folder, backbone))
        arguments = self.whole.arguments | {"weights": given.weights}
        if has_flow:
            arguments["flow_weights"] = given.weights
        self.data = data_module_of(self.whole.data, streams=self.whole.streams)
        model = instantiate_model(self.whole.model_class, self.data.class_names, self.data.clip, arguments)
        assert isinstance(model, Probe)
        found = probe_features(model.eval(), self.data, self.data.records, given.features or folder / "features")
        self.tokens = {record.name: own for record, own in zip(found.records, found.tokens, strict=True)}

    def tested(self, settings: ProbeSettings) -> tuple[list[Probabilities], float, int]:
        """Of each seed the probabilities of each test video; seconds for one choice; how many candidates there are."""
        answers = []
        seconds: list[float] = []
        for seed in self.given.seeds:
            probabilities: Probabilities = {}
            for fold in range(self.given.num_folds):
                cut = {"num_folds": self.given.num_folds, "fold": fold, "fold_seed": seed}
                split = data_module_of({**self.whole.data, **cut}, streams=self.whole.streams)
                started = time.process_time()
                choice = _chosen(split, self.tokens, settings)
                seconds.append(time.process_time() - started)
                for record in split.split("test"):
                    if record.name in self.tokens:
                        probabilities[record.name] = scored(choice, self.tokens[record.name])
            answers.append(probabilities)
            print(f"{self.name}, seed {seed}: {_mean_class_accuracy(self.data, probabilities):.3f}", file=sys.stderr)
        return answers, statistics.mean(seconds), len(choice.rows)


def _confusions(data: VideoDataModule, answers: Sequence[Probabilities]) -> NDArray[np.int64]:
    """How often a class, by row, was taken for another, by column, over all seeds."""
    counts = np.zeros((len(data.class_names), len(data.class_names)), np.int64)
    for probabilities in answers:
        for record in data.records:
            if record.name in probabilities:
                counts[data.class_names.index(record.label), int(probabilities[record.name].argmax())] += 1
    return counts


def _mean_of(members: Sequence[Probabilities]) -> Probabilities:
    """Of the videos that every member could read."""
    names = set(members[0]).intersection(*members[1:])
    return {name: torch.stack([own[name] for own in members]).mean(dim=0) for name in members[0] if name in names}


def _scores(data: VideoDataModule, answers: Sequence[Probabilities]) -> tuple[float, str]:
    """The mean over seeds, and each of them."""
    scores = [_mean_class_accuracy(data, probabilities) for probabilities in answers]
    return statistics.mean(scores), " ".join(f"{score:.3f}" for score in scores)


def _words(given: argparse.Namespace, folder: Path, backbone: str) -> list[str]:
    real = real_data()
    path = given.data or (None if real is None or given.quick else real / "fall_overhead" / "clips.csv")
    if path is not None:
        words = ["--data", "video_csv", "--data.dataset.path", str(path)]
    else:
        words = ["--data", "video_folder", "--data.dataset.root", str(folder / "clips")]
    words += ["--model.backbone", backbone, "--model.weights", str(given.weights)]
    if given.quick:
        words += ["--data.transform.crop_px", "[32, 32]", "--data.num_snippets", "3"]
    else:
        words = with_input(words)
    return [*words, "--data.num_workers", str(given.num_workers)]


def _chosen(data: VideoDataModule, tokens: Mapping[str, Mapping[str, Tensor]], settings: ProbeSettings) -> Choice:
    """Heads by the training and the validation videos of one cut."""
    records = [r for split in ("train", "val") for r in data.split(split) if r.name in tokens]
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
