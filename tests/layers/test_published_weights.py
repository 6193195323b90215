"""Files of PyTorchVideo, mmaction2 and the authors of TSM: their names and shapes, written out here, and ours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.callbacks.pretrained_input import published_input_lines
from vidcls.clips.settings import InputSettings
from vidcls.errors import CheckpointError
from vidcls.models import TSM, X3D, SlowFast, VideoClassifier
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, as_streams

Shapes = dict[str, tuple[int, ...]]
CLIP = ClipSettings(clip_len=8)
NORM = ("weight", "bias", "running_mean", "running_var")
R14, R50 = (1, 1, 1, 1), (3, 4, 6, 3)


def norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from ((f"{name}.{part}", (channels,)) for part in NORM)
    yield f"{name}.num_batches_tracked", ()


def bottlenecks(width: int, joined: int, blocks: tuple[int, ...]) -> Iterator[tuple[int, int, int, int, int]]:
    """Stage 1 to 4, block, channels in, inside and out; ``joined`` lateral channels per channel of the stage before."""
    c_in = width
    for stage, num_blocks in enumerate(blocks, start=1):
        inner = width * 2 ** (stage - 1)
        for block in range(num_blocks):
            yield stage, block, c_in + (c_in // joined if block == 0 and joined else 0), inner, 4 * inner
            c_in = 4 * inner


def slowfast_of_pytorchvideo(num_classes: int, width: int, blocks: tuple[int, ...], lateral_len: int) -> Shapes:
    fast = width // 8
    found: list[tuple[str, tuple[int, ...]]] = []
    for p, (w, time_len) in enumerate(((width, 1), (fast, 5))):
        stem = f"blocks.0.multipathway_blocks.{p}"
        found += [(f"{stem}.conv.weight", (w, 3, time_len, 7, 7)), *norm(f"{stem}.norm", w)]
        for stage, j, c_in, inner, c_out in bottlenecks(w, 0 if p else 4, blocks):
            at = f"blocks.{stage}.multipathway_blocks.{p}.res_blocks.{j}"
            k = 3 if p == 1 or stage > 2 else 1
            if j == 0:
                found += [(f"{at}.branch1_conv.weight", (c_out, c_in, 1, 1, 1)), *norm(f"{at}.branch1_norm", c_out)]
            found += [(f"{at}.branch2.conv_a.weight", (inner, c_in, k, 1, 1)), *norm(f"{at}.branch2.norm_a", inner)]
            found += [(f"{at}.branch2.conv_b.weight", (inner, inner, 1, 3, 3)), *norm(f"{at}.branch2.norm_b", inner)]
            found += [(f"{at}.branch2.conv_c.weight", (c_out, inner, 1, 1, 1)), *norm(f"{at}.branch2.norm_c", c_out)]
    for k, c in enumerate((fast, 4 * fast, 8 * fast, 16 * fast)):
        at = f"blocks.{k}.multipathway_fusion"
        found += [(f"{at}.conv_fast_to_slow.weight", (2 * c, c, lateral_len, 1, 1)), *norm(f"{at}.norm", 2 * c)]
    features = 32 * (width + fast)
    return dict([*found, ("blocks.6.proj.weight", (num_classes, features)), ("blocks.6.proj.bias", (num_classes,))])


def slowfast_of_mmaction2(num_classes: int, width: int, blocks: tuple[int, ...], lateral_len: int) -> Shapes:
    fast = width // 8
    found: list[tuple[str, tuple[int, ...]]] = []
    for path, w, time_len in (("slow_path", width, 1), ("fast_path", fast, 5)):
        at = f"backbone.{path}"
        found += [(f"{at}.conv1.conv.weight", (w, 3, time_len, 7, 7)), *norm(f"{at}.conv1.bn", w)]
        for stage, j, c_in, inner, c_out in bottlenecks(w, 4 if path == "slow_path" else 0, blocks):
            layer = f"{at}.layer{stage}.{j}"
            k = 3 if path == "fast_path" or stage > 2 else 1
            if j == 0:
                found += [(f"{layer}.downsample.conv.weight", (c_out, c_in, 1, 1, 1))]
                found += norm(f"{layer}.downsample.bn", c_out)
            found += [(f"{layer}.conv1.conv.weight", (inner, c_in, k, 1, 1)), *norm(f"{layer}.conv1.bn", inner)]
            found += [(f"{layer}.conv2.conv.weight", (inner, inner, 1, 3, 3)), *norm(f"{layer}.conv2.bn", inner)]
            found += [(f"{layer}.conv3.conv.weight", (c_out, inner, 1, 1, 1)), *norm(f"{layer}.conv3.bn", c_out)]
    for name, c in (("conv1", fast), ("layer1", 4 * fast), ("layer2", 8 * fast), ("layer3", 16 * fast)):
        found += [(f"backbone.slow_path.{name}_lateral.conv.weight", (2 * c, c, lateral_len, 1, 1))]
    features = 32 * (width + fast)
    return dict([*found, ("cls_head.fc_cls.weight", (num_classes, features)), ("cls_head.fc_cls.bias", (num_classes,))])


def x3d_of_pytorchvideo(
    num_classes: int, widths: tuple[int, ...], blocks: tuple[int, ...], squeezed: tuple[int, ...], features: int
) -> Shapes:
    found: list[tuple[str, tuple[int, ...]]] = [
        ("blocks.0.conv.conv_t.weight", (widths[0], 3, 1, 3, 3)),
        ("blocks.0.conv.conv_xy.weight", (widths[0], 1, 5, 1, 1)),
        *norm("blocks.0.norm", widths[0]),
    ]
    c_in = widths[0]
    for stage, (c_out, num_blocks, s) in enumerate(zip(widths, blocks, squeezed, strict=True), start=1):
        inner = int(2.25 * c_out)
        for j in range(num_blocks):
            at = f"blocks.{stage}.res_blocks.{j}"
            if j == 0:
                found += [(f"{at}.branch1_conv.weight", (c_out, c_in, 1, 1, 1))]
                found += norm(f"{at}.branch1_norm", c_out) if c_in != c_out else ()
            branch = f"{at}.branch2"
            found += [(f"{branch}.conv_a.weight", (inner, c_in, 1, 1, 1)), *norm(f"{branch}.norm_a", inner)]
            found += [(f"{branch}.conv_b.weight", (inner, 1, 3, 3, 3)), *norm(f"{branch}.norm_b.0", inner)]
            if j % 2 == 0:
                se = f"{branch}.norm_b.1.block"
                found += [(f"{se}.0.weight", (s, inner, 1, 1, 1)), (f"{se}.0.bias", (s,))]
                found += [(f"{se}.2.weight", (inner, s, 1, 1, 1)), (f"{se}.2.bias", (inner,))]
            found += [(f"{branch}.conv_c.weight", (c_out, inner, 1, 1, 1)), *norm(f"{branch}.norm_c", c_out)]
            c_in = c_out
    inner = int(2.25 * c_in)
    found += [("blocks.5.pool.pre_conv.weight", (inner, c_in, 1, 1, 1)), *norm("blocks.5.pool.pre_norm", inner)]
    found += [("blocks.5.pool.post_conv.weight", (features, inner, 1, 1, 1))]
    return dict([*found, ("blocks.5.proj.weight", (num_classes, features)), ("blocks.5.proj.bias", (num_classes,))])


def tsm(num_classes: int, *, of_authors: bool) -> Shapes:
    """On ResNet-50."""
    conv, bn = ("{}", "bn{}") if of_authors else ("{}.conv", "conv{}.bn")
    start, head = ("base_model", "new_fc") if of_authors else ("backbone", "cls_head.fc_cls")
    found: list[tuple[str, tuple[int, ...]]] = [
        (f"{start}.{conv.format('conv1')}.weight", (64, 3, 7, 7)),
        *norm(f"{start}.{bn.format(1)}", 64),
    ]
    for stage, j, c_in, inner, c_out in bottlenecks(64, 0, R50):
        at = f"{start}.layer{stage}.{j}"
        sizes = (("conv1", (inner, c_in, 1, 1)), ("conv2", (inner, inner, 3, 3)), ("conv3", (c_out, inner, 1, 1)))
        for k, (name, shape) in enumerate(sizes, start=1):
            net = ".net" if k == 1 else ""
            found += [(f"{at}.{conv.format(name)}{net}.weight", shape), *norm(f"{at}.{bn.format(k)}", shape[0])]
        if j == 0:
            first, second = ("0", "1") if of_authors else ("conv", "bn")
            found += [(f"{at}.downsample.{first}.weight", (c_out, c_in, 1, 1))]
            found += norm(f"{at}.downsample.{second}", c_out)
    return dict([*found, (f"{head}.weight", (num_classes, 2048)), (f"{head}.bias", (num_classes,))])


def written(path: Path, shapes: Shapes, wrapper: str = "state_dict") -> tuple[Path, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.rand(shape, generator=generator) if shape or "num_batches" not in name else torch.tensor(3)
        for name, shape in shapes.items()
    }
    torch.save({wrapper: state, "meta": {"epoch": 3}}, path)
    return path, state


SMALL_SLOWFAST = {"depth": 14, "width": 8}
TINY = {"widths": (16, 24, 48, 96), "blocks": (1, 2, 5, 3), "squeezed": (8, 8, 8, 16), "features": 128}
FILES: dict[str, tuple[type[VideoClassifier], dict[str, object], Callable[[int], Shapes], str, str]] = {
    "SlowFast of PyTorchVideo": (
        SlowFast,
        {**SMALL_SLOWFAST, "lateral_len": 7},
        lambda k: slowfast_of_pytorchvideo(k, 8, R14, 7),
        "blocks.2.multipathway_fusion.conv_fast_to_slow.weight",
        "backbone.stages.res3.lateral.conv.weight",
    ),
    "SlowFast of mmaction2": (
        SlowFast,
        {**SMALL_SLOWFAST, "lateral_norm": False},
        lambda k: slowfast_of_mmaction2(k, 8, R14, 5),
        "backbone.fast_path.layer3.0.conv1.bn.running_var",
        "backbone.stages.res4.fast.0.first.norm.running_var",
    ),
    "X3D of PyTorchVideo": (
        X3D,
        {"form": "m"},
        lambda k: x3d_of_pytorchvideo(k, (24, 48, 96, 192), (3, 5, 11, 7), (8, 8, 16, 32), 2048),
        "blocks.3.res_blocks.2.branch2.norm_b.1.block.2.bias",
        "backbone.stages.res4.2.excitation.excite.bias",
    ),
    "TSM of mmaction2": (
        TSM,
        {"backbone": "resnet50"},
        lambda k: tsm(k, of_authors=False),
        "backbone.layer2.3.conv1.conv.net.weight",
        "backbone.stages.layer2.3.conv1.weight",
    ),
    "TSM of its authors": (
        TSM,
        {"backbone": "resnet50"},
        lambda k: tsm(k, of_authors=True),
        "base_model.layer3.0.downsample.1.bias",
        "backbone.stages.layer3.0.downsample.1.bias",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_these_names_and_shapes_is_loaded_whole_or_but_for_its_classifier(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model_class, arguments, shapes, theirs, ours = FILES[kind]
    path, state = written(tmp_path / "weights.pyth", shapes(5), "model_state")
    head, bias = list(state)[-2:]
    for num_classes in {"TSM of mmaction2": (3,), "TSM of its authors": (5,)}.get(kind, (5, 3)):  # ResNet-50 takes long
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="vidcls"):
            model = model_class(
                class_names=[f"class{k}" for k in range(num_classes)], clip=CLIP, weights=str(path), **arguments
            )  # type: ignore[arg-type]
        own = model.state_dict()
        assert torch.equal(own[ours], state[theirs])
        names = [name for name in own if name.startswith(("backbone.", "head."))]
        assert len(names) == len(state)
        sums = {name: float(own[name].double().sum()) for name in names if not name.startswith("head.")}
        expected = [float(value.double().sum()) for name, value in state.items() if name not in (head, bias)]
        assert sorted(sums.values()) == pytest.approx(sorted(expected))  # every tensor is there once
        assert torch.equal(own["head.1.bias"], state[bias]) is (num_classes == 5)
        said = (
            "with the classifier of its 5 classes, which are taken to be" if num_classes == 5 else "but for the class"
        )
        assert said in caplog.text


def test_a_file_of_mmaction2_has_the_fast_features_first(tmp_path: Path) -> None:
    path, state = written(tmp_path / "a.pth", slowfast_of_mmaction2(3, 8, R14, 5))
    model = SlowFast(class_names=["a", "b", "c"], clip=CLIP, lateral_norm=False, weights=str(path), **SMALL_SLOWFAST)  # type: ignore[arg-type]
    fast, slow = state["cls_head.fc_cls.weight"].split([32, 256], dim=1)
    assert torch.equal(model.state_dict()["head.1.weight"], torch.cat([slow, fast], dim=1))


@pytest.mark.parametrize(
    ("model_class", "arguments", "shapes"),
    [
        (SlowFast, {"lateral_len": 7}, slowfast_of_pytorchvideo(400, 64, R50, 7)),
        (SlowFast, {"lateral_norm": False}, slowfast_of_mmaction2(400, 64, R50, 5)),
        (X3D, {"form": "l"}, x3d_of_pytorchvideo(400, (24, 48, 96, 192), (5, 10, 25, 15), (8, 8, 16, 32), 2048)),
        (X3D, {"form": "tiny"}, x3d_of_pytorchvideo(400, **TINY)),  # type: ignore[arg-type]
    ],
)
def test_the_published_sizes_have_as_many_tensors_and_weights(
    model_class: type[VideoClassifier], arguments: dict[str, object], shapes: Shapes
) -> None:
    with torch.device("meta"):
        names = [f"class{k}" for k in range(400)]
        model = model_class(class_names=names, clip=CLIP, **arguments)  # type: ignore[arg-type]
    own = {n: v for n, v in model.state_dict().items() if n.startswith(("backbone.", "head."))}
    counts = sorted(v.numel() for v in own.values())
    assert counts == sorted(torch.Size(shape).numel() for shape in shapes.values())


def without(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name != "blocks.1.res_blocks.0.branch2.conv_c.weight"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, r"\(blocks\.1\.res_blocks\.0\.branch2\.conv_c\.weight missing\); form xs, s and m have one size"),
        (lambda state: {**state, "blocks.7.more": torch.zeros(1)}, r"\(blocks\.7\.more unknown\)"),
        (
            lambda state: {**state, "blocks.0.conv.conv_xy.weight": torch.zeros(16, 1, 3, 1, 1)},
            r"\(blocks\.0\.conv\.conv_xy\.weight has the size \(16, 1, 3, 1, 1\), expected \(16, 1, 5, 1, 1\)\)",
        ),
        (
            lambda _: {"layer.weight": torch.zeros(1)},
            r"no weights of X3D that are known, .* \(PyTorchVideo\)",
        ),
    ],
    ids=["missing", "surplus", "size", "foreign"],
)
def test_a_file_of_another_network_is_refused_in_one_line_that_names_the_tensor(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]], message: str, tmp_path: Path
) -> None:
    _, state = written(tmp_path / "a.pyth", x3d_of_pytorchvideo(3, **TINY))  # type: ignore[arg-type]
    torch.save(change(state), tmp_path / "a.pyth")
    with pytest.raises(CheckpointError, match=message) as caught:
        X3D(class_names=["a", "b", "c"], clip=CLIP, form="tiny", weights=str(tmp_path / "a.pyth"))
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="'X3D' has no ready-made weights, got weights='DEFAULT'"):
        X3D(class_names=["a", "b", "c"], clip=CLIP, form="tiny", weights="DEFAULT")


def test_counters_of_batch_normalisation_may_be_absent(tmp_path: Path) -> None:
    _, state = written(tmp_path / "a.pyth", x3d_of_pytorchvideo(3, **TINY))  # type: ignore[arg-type]
    torch.save({n: v for n, v in state.items() if "num_batches_tracked" not in n}, tmp_path / "a.pyth")
    model = X3D(class_names=["a", "b", "c"], clip=CLIP, form="tiny", weights=str(tmp_path / "a.pyth"))
    assert torch.equal(model.state_dict()["head.1.bias"], state["blocks.5.proj.bias"])


def test_the_normalisation_of_the_weights_is_hinted_at_where_the_data_has_another(tmp_path: Path) -> None:
    path, _ = written(tmp_path / "a.pyth", x3d_of_pytorchvideo(3, **TINY))  # type: ignore[arg-type]
    model = X3D(class_names=["a", "b", "c"], clip=CLIP, form="tiny", weights=str(path))

    def lines(**transform: object) -> list[str]:
        settings = InputSettings(as_streams(["rgb"]), CLIP, transform=TransformSettings(**transform))  # type: ignore[arg-type]
        return list(published_input_lines(model.published, settings))

    (line,) = lines()
    assert line == (
        "hint: the weights of PyTorchVideo were made with another normalisation: set --data.transform.rgb_mean "
        "'[0.45, 0.45, 0.45]' --data.transform.rgb_std '[0.225, 0.225, 0.225]'"
    )
    assert not lines(rgb_mean=(0.45,) * 3, rgb_std=(0.225,) * 3)
    assert model.published is not None
    assert X3D(class_names=["a", "b"], clip=CLIP, form="tiny").published is None
