from __future__ import annotations

import csv
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from vidcls.layers import LayerSettings, build_backbone

STUDIES = Path(__file__).parents[2] / "scripts" / "studies"
NUM_FEW = 40


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A study by name, on a few digits."""
    monkeypatch.syspath_prepend(str(STUDIES))

    def find(name: str) -> ModuleType:
        digits = importlib.import_module("digits")
        module = importlib.import_module(name)

        def few(*, side_px: int, seed: int = 0) -> object:
            whole = digits.digits(side_px=side_px, seed=seed)
            return digits.Images(
                whole.train[:NUM_FEW], whole.train_labels[:NUM_FEW], whole.test[:NUM_FEW], whole.test_labels[:NUM_FEW]
            )

        if name != "digits":
            monkeypatch.setattr(module, "digits", few)
        return module

    return find


def run(module: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", [module.__name__, "--output", str(folder), *arguments])
    module.main()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_digits_are_normalised_and_the_test_part_is_apart(study: Callable[[str], ModuleType]) -> None:
    images = study("digits").digits(side_px=16)
    assert images.train.shape == (1297, 1, 16, 16)
    assert images.test.shape == (500, 1, 16, 16)
    everything = torch.cat([images.train, images.test])
    assert float(everything.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(everything.std()) == pytest.approx(1.0, abs=1e-4)
    assert sorted(set(images.test_labels.tolist())) == list(range(10))


def test_depth_writes_a_curve_for_each_network(
    study: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(study("depth"), tmp_path, monkeypatch, "--num_epochs", "1")
    assert [row["run"] for row in rows(tmp_path / "depth.csv")] == ["plain20", "plain56", "resnet20", "resnet56"]
    assert (tmp_path / "depth.png").stat().st_size > 10_000


def test_constant_first_weights_keep_all_units_alike_and_kaiming_keeps_their_spread(
    study: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(study("initialisation"), tmp_path, monkeypatch)
    by_run: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows(tmp_path / "initialisation.csv"):
        by_run.setdefault((row["activation"], row["init"]), []).append(row)
    constant, normal, kaiming = (by_run["relu", init] for init in ("constant", "normal", "kaiming"))
    assert [float(row["different_units"]) for row in constant] == pytest.approx(
        [1 / 16] * 7 + [1 / 32] * 6 + [1 / 64] * 6
    )
    assert min(float(row["different_units"]) for row in kaiming) > 0.9
    assert float(normal[-1]["std"]) < 1e-3 * float(normal[0]["std"])  # a fixed spread lets the signal vanish
    assert 0.1 < float(kaiming[-1]["std"]) / float(kaiming[0]["std"]) < 10
    assert (tmp_path / "initialisation.png").is_file()


def test_activations_count_units_of_each_layer(
    study: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(study("activations"), tmp_path, monkeypatch, "--num_epochs", "1")
    units = rows(tmp_path / "activations_units.csv")
    assert len(units) == 2 * 5 * 4  # learning rates x activations x layers
    assert {float(row["dead"]) for row in units if row["run"] == "sigmoid"} == {0.0}  # never zero, so never dead
    assert {float(row["saturated"]) for row in units if row["run"] == "leaky_relu"} == {0.0}
    assert (tmp_path / "activations.png").is_file()


def test_normalisations_are_compared_in_large_and_in_small_batches(
    study: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(study("normalisation"), tmp_path, monkeypatch, "--num_epochs", "1")
    done = [(row["batch_size"], row["run"]) for row in rows(tmp_path / "normalisation.csv")]
    assert done == [(size, norm) for size in ("64", "2") for norm in ("batch", "layer", "instance", "group", "none")]


def test_transfer_trains_what_it_says_and_nothing_else(study: Callable[[str], ModuleType]) -> None:
    transfer, digits = study("transfer"), study("digits")
    images = digits.digits(side_px=16)
    for way, num_trained in {"last layer": 0, "last third": 2, "all layers": 4, "from scratch": 4}.items():
        backbone = build_backbone("small", 1)
        before = {name: value.clone() for name, value in backbone.state_dict().items()}
        transfer.freeze(backbone, way)
        digits.train(digits.Classifier(backbone), images, title=way, num_epochs=1, batch_size=500, lr=0.1)
        moved = {
            name.split(".")[1] for name, value in backbone.state_dict().items() if not torch.equal(value, before[name])
        }
        assert moved == set(backbone.stage_names[4 - num_trained :]), way


def test_transfer_takes_as_many_images_of_each_digit(study: Callable[[str], ModuleType]) -> None:
    images = study("digits").digits(side_px=8)
    few = study("transfer").some(images, 5, seed=1)
    assert torch.bincount(few.train_labels).tolist() == [5] * 10
    assert few.train.shape == (50, 3, 8, 8)
    assert torch.equal(few.test_labels, images.test_labels)


def test_transfer_writes_a_row_for_each_training(
    study: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = study("transfer")
    monkeypatch.setattr(transfer, "BACKBONE", "small")
    monkeypatch.setattr(transfer, "build_backbone", lambda name, weights: build_backbone(name, 3))
    for name, value in {"NUM_PER_CLASS": (1, 2), "NUM_STEPS": 1, "NUM_REPEATS": 2, "SIDE_PX": 16}.items():
        monkeypatch.setattr(transfer, name, value)
    run(transfer, tmp_path, monkeypatch)
    assert len(rows(tmp_path / "transfer.csv")) == 2 * 4 * 2
    assert (tmp_path / "transfer.png").is_file()


@pytest.mark.slow
def test_a_deeper_plain_network_trains_worse_and_shortcuts_cure_it(
    study: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = study("digits")
    images = digits.digits(side_px=16)
    last: dict[str, float] = {}
    for name in ("plain20", "plain56", "resnet56"):
        torch.manual_seed(0)
        network = digits.Classifier(build_backbone(name, in_channels=1))
        last[name] = digits.train(network, images, title=name, num_epochs=6, lr=0.05)[-1]["train_error"]
    assert last["plain56"] > last["plain20"] + 0.2
    assert last["resnet56"] < 0.1


def test_layer_settings_reach_every_layer_of_the_networks_of_the_studies() -> None:
    for norm, kind in {"group": nn.GroupNorm, "none": nn.BatchNorm2d}.items():
        network = build_backbone("plain20", in_channels=1, layers=LayerSettings(norm=norm))  # type: ignore[arg-type]
        count = sum(isinstance(module, kind) for module in network.modules())
        assert count == (19 if norm == "group" else 0)
