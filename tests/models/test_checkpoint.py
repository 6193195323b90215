"""What lies in a checkpoint, and what is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn

from vidcls.errors import CheckpointError
from vidcls.models import SingleFrame, TwoStream, load_classifier, read_checkpoint
from vidcls.training.losses import LossSettings
from vidcls.training.optimization import OptimizationSettings
from vidcls.types import ClipSettings

pytestmark = pytest.mark.filterwarnings("ignore")

TrainOn = Callable[..., Trainer]

CLASSES = ["left", "right", "still"]


@pytest.fixture(scope="module")
def checkpoint(train_on: TrainOn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    model = TwoStream(
        class_names=CLASSES,
        clip=ClipSettings(clip_len=2, stride=3, flow_len=3),
        spatial="small",
        temporal="small",
        fusion_weights=(1.0, 2.0),
        optimization=OptimizationSettings(optimizer="adamw", lr=3e-4, schedule="steps", milestones=[0.5]),
        loss=LossSettings(label_smoothing=0.1, class_weights={"left": 2.0}),
    )
    batch = {
        "streams": {"rgb": torch.randn(2, 3, 2, 16, 16), "flow": torch.randn(2, 2, 3, 16, 16)},
        "label": torch.tensor([0, 1]),
        "index": torch.arange(2),
    }
    train_on(model, [batch], folder).save_checkpoint(folder / "model.ckpt")
    return folder / "model.ckpt"


def changed(checkpoint: Path, folder: Path, **entries: object) -> Path:
    content = torch.load(checkpoint, weights_only=True)
    content.update(entries)
    torch.save(content, folder / "changed.ckpt")
    return folder / "changed.ckpt"


def is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and is_plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return type(value) in (int, float, str, bool, type(None))


def test_a_checkpoint_loads_without_running_code(checkpoint: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    assert is_plain(content["vidcls"])
    assert is_plain(dict(content["hyper_parameters"]))


def test_the_hyper_parameters_are_the_models_own_arguments_alone(checkpoint: Path) -> None:
    arguments = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    assert not {"class_names", "clip", "_class_path", "_instantiator"} & set(arguments)
    assert arguments["fusion_weights"] == [1.0, 2.0]
    assert arguments["optimization"]["milestones"] == [0.5]
    assert arguments["loss"]["class_weights"] == {"left": 2.0}


def test_all_other_facts_lie_under_one_key(checkpoint: Path) -> None:
    facts = torch.load(checkpoint, weights_only=True)["vidcls"]
    assert facts["class_path"] == "vidcls.models.two_stream.TwoStream"
    assert facts["class_names"] == CLASSES
    assert facts["clip"] == {"num_snippets": 1, "clip_len": 2, "stride": 3, "flow_len": 3}
    found = read_checkpoint(checkpoint)
    assert found.class_names == tuple(CLASSES)
    assert found.clip == ClipSettings(clip_len=2, stride=3, flow_len=3)
    assert found.global_step == 1


def test_a_loaded_model_has_the_settings_that_it_was_made_with(checkpoint: Path) -> None:
    model = load_classifier(checkpoint)
    assert isinstance(model, TwoStream)
    assert model.optimization == OptimizationSettings(optimizer="adamw", lr=3e-4, schedule="steps", milestones=[0.5])
    assert model.loss_settings == LossSettings(label_smoothing=0.1, class_weights={"left": 2.0})
    assert model.fusion_weights.tolist() == [1.0, 2.0]


class WritesAFile:
    """Pickles as a call that leaves a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickled_payload_is_refused_and_not_run(checkpoint: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for path in (
        changed(checkpoint, tmp_path, payload=WritesAFile(trace)),
        changed(checkpoint, tmp_path, vidcls=WritesAFile(trace)),
    ):
        with pytest.raises(CheckpointError, match="more than tensors and plain values, which could run code") as error:
            load_classifier(path)
        assert "\n" not in str(error.value)
        assert not trace.exists()


def test_what_is_no_checkpoint_of_vidcls_is_one_line_that_names_the_file(checkpoint: Path, tmp_path: Path) -> None:
    content = checkpoint.read_bytes()
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    (tmp_path / "empty.ckpt").write_bytes(b"")
    (tmp_path / "half.ckpt").write_bytes(content[: len(content) // 2])
    (tmp_path / "zip.ckpt").write_bytes(content[:100])
    (tmp_path / "folder.ckpt").mkdir()
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "foreign.ckpt")
    torch.save(torch.zeros(3), tmp_path / "tensor.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    names = ["text", "empty", "half", "zip", "folder", "foreign", "tensor", "list", "absent"]
    for name in names:
        path = tmp_path / f"{name}.ckpt"
        with pytest.raises(CheckpointError, match=rf"{name}\.ckpt") as error:
            load_classifier(path)
        assert "\n" not in str(error.value), name


@pytest.mark.parametrize("missing", ["class_names", "clip", "class_path"])
def test_facts_that_are_incomplete_are_refused(checkpoint: Path, tmp_path: Path, missing: str) -> None:
    facts = torch.load(checkpoint, weights_only=True)["vidcls"]
    del facts[missing]
    with pytest.raises(CheckpointError, match=r"changed\.ckpt"):
        load_classifier(changed(checkpoint, tmp_path, vidcls=facts))


@pytest.mark.parametrize(
    ("class_path", "words"),
    [
        ("no.such.Module", "add --allow-class no"),
        ("vidcls.models.no.such.Module", "cannot be imported"),
        ("vidcls.models.two_stream.ThreeStream", "cannot be imported"),
        ("vidcls.types.VideoRecord", "is not a VideoClassifier"),
    ],
)
def test_a_class_that_cannot_be_had_is_named(checkpoint: Path, tmp_path: Path, class_path: str, words: str) -> None:
    facts = {**torch.load(checkpoint, weights_only=True)["vidcls"], "class_path": class_path}
    with pytest.raises(CheckpointError, match=rf"{class_path}.*{words}|{words}.*{class_path}"):
        load_classifier(changed(checkpoint, tmp_path, vidcls=facts))


HOSTILE_FACTS: dict[str, tuple[object, str]] = {
    "class_names twice": (["left", "left", "still"], "the class name 'left' stands twice"),
    "class_names number": (["left", 1, "still"], "class names must be text, got 1"),
    "class_names text": ("abc", "class names must be a list of text"),
    "class_names line": (["left", "ri\nght", "still"], "has a line break"),
    "class_names empty": (["left", "", "still"], "a class name must have 1 to"),
    "class_path number": (5, "class_path is 5, expected a dotted name"),
    "class_path line": ("vidcls.\x1b[2J", r"class_path is 'vidcls.\x1b[2J', expected"),
    "clip text": ({"clip_len": "1"}, "clip holds more than whole numbers"),
    "clip unknown": ({"clips": 1}, "unexpected keyword argument 'clips'"),
    "clip list": ([1], "clip holds more than whole numbers"),
    "input tensor": ({"transform": {"crop_px": torch.zeros(1)}}, "input holds Tensor, expected plain values"),
    "input text": ("abc", "input is not a mapping by name"),
    "wandb_run_id list": (["a"], "wandb_run_id is list"),
}


@pytest.mark.parametrize("name", HOSTILE_FACTS)
def test_facts_that_are_not_what_they_should_be_are_one_line(checkpoint: Path, tmp_path: Path, name: str) -> None:
    value, words = HOSTILE_FACTS[name]
    facts = {**torch.load(checkpoint, weights_only=True)["vidcls"], name.split()[0]: value}
    with pytest.raises(CheckpointError) as error:
        load_classifier(changed(checkpoint, tmp_path, vidcls=facts))
    assert words in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("hyper_parameters", {"spatial": torch.zeros(1)}, "hyper_parameters holds Tensor, expected plain values"),
        ("hyper_parameters", [1], "hyper_parameters is not a mapping by name"),
        ("state_dict", {"a": 1}, "state_dict holds more than tensors by name"),
        ("state_dict", [torch.zeros(1)], "state_dict holds more than tensors by name"),
        ("global_step", "5", "global_step is str"),
    ],
)
def test_entries_that_are_not_what_they_should_be_are_one_line(
    checkpoint: Path, tmp_path: Path, entry: str, value: object, words: str
) -> None:
    with pytest.raises(CheckpointError, match=words) as error:
        load_classifier(changed(checkpoint, tmp_path, **{entry: value}))
    assert str(error.value).isprintable()


def test_arguments_of_a_larger_model_than_the_weights_are_take_no_memory(checkpoint: Path, tmp_path: Path) -> None:
    """The first layer of the temporal stream would take a hundred gigabytes."""
    facts = torch.load(checkpoint, weights_only=True)["vidcls"]
    facts["clip"] = {**facts["clip"], "flow_len": 100_000}
    with pytest.raises(CheckpointError, match=r"its weights do not fit .*TwoStream \(.* has the size"):
        load_classifier(changed(checkpoint, tmp_path, vidcls=facts))


def test_a_function_in_the_arguments_of_a_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    arguments = torch.load(checkpoint, weights_only=True)["hyper_parameters"]
    arguments["loss"] = {"class_path": "torch.utils.collect_env.run"}
    with pytest.raises(CheckpointError, match=r"torch\.utils\.collect_env\.run is nothing that"):
        load_classifier(changed(checkpoint, tmp_path, hyper_parameters=arguments))


def test_weights_of_another_shape_and_arguments_that_do_not_exist_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    arguments = dict(content["hyper_parameters"])
    with pytest.raises(CheckpointError, match="its weights do not fit"):
        load_classifier(changed(checkpoint, tmp_path, hyper_parameters={**arguments, "spatial": "resnet18"}))
    with pytest.raises(CheckpointError, match="cannot be built from its arguments"):
        load_classifier(changed(checkpoint, tmp_path, hyper_parameters={**arguments, "width": 9}))


def test_resuming_with_other_classes_is_refused(checkpoint: Path, train_on: TrainOn, tmp_path: Path) -> None:
    model = TwoStream(
        class_names=["left", "still", "right"], clip=ClipSettings(flow_len=3), spatial="small", temporal="small"
    )
    with pytest.raises(CheckpointError, match=r"knows the classes \['left', 'right', 'still'\]"):
        train_on(model, [{}], tmp_path, resume=checkpoint)


def test_a_user_defined_model_outside_the_package_is_loaded_by_its_path(
    train_on: TrainOn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_model.py").write_text(
        "from vidcls.models import SingleFrame\n\nclass TheirNet(SingleFrame):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from their_model import TheirNet  # type: ignore[import-not-found]

    model = TheirNet(class_names=CLASSES, clip=ClipSettings(), backbone="small")
    streams = {"rgb": torch.randn(2, 3, 1, 16, 16)}
    batch = {"streams": streams, "label": torch.tensor([0, 1]), "index": torch.arange(2)}
    train_on(model, [batch], tmp_path).save_checkpoint(tmp_path / "theirs.ckpt")
    loaded = load_classifier(tmp_path / "theirs.ckpt")
    assert isinstance(loaded, SingleFrame)
    assert type(loaded).__name__ == "TheirNet"


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_weights_that_are_no_numbers_are_refused_with_the_name_of_the_file(
    checkpoint: Path, tmp_path: Path, value: str
) -> None:
    weights = {name: weight.clone() for name, weight in read_checkpoint(checkpoint).state_dict.items()}
    name = next(name for name in weights if name.startswith("heads.spatial.") and name.endswith("weight"))
    weights[name].view(-1)[3] = float(value)
    with pytest.raises(CheckpointError, match=rf"changed\.ckpt: its weight {re.escape(name)} holds NaN.*diverged"):
        load_classifier(changed(checkpoint, tmp_path, state_dict=weights))


@pytest.mark.parametrize(("name", "value"), [("stride", 1), ("clip_len", 4), ("num_snippets", 2), ("flow_len", "3")])
def test_clip_settings_that_contradict_those_of_the_input_are_refused(
    checkpoint: Path, tmp_path: Path, name: str, value: object
) -> None:
    facts = torch.load(checkpoint, weights_only=True)["vidcls"]
    agreeing = {**facts, "input": {**facts["clip"], "streams": ["rgb", "flow"]}}
    assert read_checkpoint(changed(checkpoint, tmp_path, vidcls=agreeing)).input_settings == agreeing["input"]
    partly = {**facts, "input": {"streams": ["rgb", "flow"]}}  # what is not said contradicts nothing
    assert read_checkpoint(changed(checkpoint, tmp_path, vidcls=partly)).clip == ClipSettings(1, 2, 3, 3)
    other = {**facts, "input": {**agreeing["input"], name: value}}
    with pytest.raises(CheckpointError, match=rf"its model was built for {name} .*, its input has {name} ") as caught:
        load_classifier(changed(checkpoint, tmp_path, vidcls=other))
    assert "\n" not in str(caught.value)
