from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from vidcls.explain.feature_pictures import embedding_figure, write_embeddings, write_probes
from vidcls.explain.features import Features, Probe, collect_features, embeddings, linear_probes
from vidcls.models import Conv3D, SingleFrame, TwoStream
from vidcls.models.input_shapes import input_shapes
from vidcls.types import Batch, ClipSettings

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(num_snippets=2, clip_len=4, flow_len=3)
RNG = np.random.default_rng(0)


def batch_of(model: torch.nn.Module, num_videos: int) -> Batch:
    shapes = input_shapes(model.streams, CLIP, 24, num_clips=num_videos)  # type: ignore[arg-type]
    streams = {stream.name: torch.randn(shape) for stream, shape in zip(model.streams, shapes, strict=True)}  # type: ignore[arg-type]
    return {"streams": streams, "label": torch.arange(num_videos) % 3, "index": torch.arange(num_videos)}


def two_layers(separable: bool, num: int = 90) -> Features:
    """Noise in the first layer; in the second the class, where it is separable."""
    labels = np.arange(num) % 3
    noise = RNG.normal(size=(num, 6)).astype(np.float32)
    signal = noise + 8 * np.eye(3, 6, dtype=np.float32)[labels] if separable else noise.copy()
    return Features({"block1": noise, "block2": signal}, labels, np.arange(num))


@pytest.mark.parametrize("num_in_batches", [[5], [2, 3]])
def test_features_are_one_vector_a_video_whatever_the_batches(num_in_batches: list[int]) -> None:
    torch.manual_seed(0)
    model = Conv3D(class_names=CLASSES, clip=CLIP, backbone="small_3d").eval()
    whole = batch_of(model, 5)
    rgb = whole["streams"]["rgb"]
    pieces: list[Batch] = [
        {"streams": {"rgb": some}, "label": labels, "index": indices}
        for some, labels, indices in zip(
            *(values.split(num_in_batches) for values in (rgb, whole["label"], whole["index"])), strict=True
        )
    ]
    features = collect_features(model.scorer, pieces)
    assert list(features.by_layer) == [*model.backbone.stage_names, "logits"]
    assert features.labels.tolist() == [0, 1, 2, 0, 1]
    assert np.allclose(features.by_layer["logits"], model(rgb).detach().numpy(), atol=1e-5)
    last = model.backbone.stage_names[-1]
    expected = model.backbone(rgb.unflatten(2, (2, 4)).transpose(1, 2).flatten(0, 1))  # ends in an average
    assert np.allclose(features.by_layer[last], expected.unflatten(0, (5, 2)).mean(1).detach().numpy(), atol=1e-5)


def test_layers_of_several_networks_are_told_apart() -> None:
    model = TwoStream(class_names=CLASSES, clip=CLIP, spatial="small", temporal="small").eval()
    layers = list(collect_features(model.scorer, [batch_of(model, 3)]).by_layer)
    assert layers[0] == "spatial block1"
    assert layers[-2:] == ["temporal block4", "logits"]


def test_no_hook_is_left() -> None:
    model = SingleFrame(class_names=CLASSES, clip=CLIP, backbone="small").eval()
    collect_features(model.scorer, [batch_of(model, 2)])
    assert not any(module._forward_hooks for module in model.modules())


def test_a_probe_reads_the_class_where_it_is_linear_and_nowhere_else() -> None:
    noise, signal = linear_probes(two_layers(separable=True), two_layers(separable=True))
    assert (noise.layer, signal.layer, signal.num_features) == ("block1", "block2", 6)
    assert signal.test_accuracy == 1.0
    assert noise.test_accuracy < 0.55


def test_rare_classes_count_as_much_as_frequent_ones() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    values = np.where(labels == 1, -1.0, 1.0)[:, None].astype(np.float32)
    test_labels = np.array([0] * 9 + [1])
    always_first = Features({"block": np.ones((10, 1), np.float32)}, test_labels, np.arange(10))
    (probe,) = linear_probes(Features({"block": values}, labels, np.arange(100)), always_first)
    assert probe.test_accuracy == 0.5


def test_points_of_one_class_lie_together_in_both_planes() -> None:
    features = two_layers(separable=True)
    for points in embeddings(features.by_layer["block2"]).values():
        centres = np.stack([points[features.labels == k].mean(axis=0) for k in range(3)])
        nearest = np.linalg.norm(points[:, None] - centres[None], axis=2).argmin(axis=1)
        assert (nearest == features.labels).mean() > 0.95


@pytest.mark.parametrize("shape", [(3, 5), (6, 1), (2, 2)])
def test_few_points_and_thin_features_have_planes_too(shape: tuple[int, int]) -> None:
    for points in embeddings(RNG.normal(size=shape).astype(np.float32)).values():
        assert points.shape == (shape[0], 2)
        assert np.isfinite(points).all()


def test_pictures_have_their_tables_beside_them(tmp_path: Path) -> None:
    features = two_layers(separable=True, num=9)
    planes = embeddings(features.by_layer["block2"])
    paths = [f"{k}.mp4" for k in range(9)]
    files = write_embeddings(planes, features, CLASSES, paths, tmp_path, layer="block2")
    files += write_probes([Probe("block1", 6, 0.5, 0.4)], tmp_path, num_classes=3)
    assert [file.name for file in files] == ["embedding.png", "embedding.csv", "probes.png", "probes.csv"]
    with files[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[4]["path"], rows[4]["label"]) == ("4.mp4", "right")
    assert float(rows[4]["PCA_x"]) == pytest.approx(float(planes["PCA"][4, 0]), rel=1e-4)
    with files[3].open(newline="") as file:
        assert next(csv.DictReader(file))["test_mean_class_accuracy"] == "0.400000"


def test_an_embedding_of_many_classes_has_a_layer_for_each_colour_and_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    scatter = Axes.scatter

    def counted(axes: Axes, x: np.ndarray, y: np.ndarray, **options: object) -> object:
        drawn.append(len(x))
        return scatter(axes, x, y, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "scatter", counted)
    labels = np.arange(500) % 400
    features = Features({"block2": np.zeros((500, 3), np.float32)}, labels, np.arange(500))
    names = [f"class_{k}" for k in range(400)]
    write_embeddings({"PCA": RNG.normal(size=(500, 2))}, features, names, ["a.avi"] * 500, tmp_path, layer="block2")
    assert len(drawn) == 56  # 7 colours, 8 shapes
    assert sum(drawn) == 500


def test_an_embedding_says_of_which_layer_it_is_how_it_was_made_and_what_a_point_is() -> None:
    features = two_layers(separable=True, num=9)
    figure = embedding_figure(embeddings(features.by_layer["block2"]), features, CLASSES, layer="block2")
    width = features.by_layer["block2"].shape[1]
    title = figure.get_suptitle()
    assert f"layer block2, {width} features" in title
    assert "a point is a test video, of 9" in title
    assert [axes.get_title().split(":")[0] for axes in figure.axes] == ["PCA", "t-SNE"]


def test_no_two_of_56_classes_look_alike_in_an_embedding() -> None:
    names = [f"class_{k}" for k in range(56)]
    features = Features({"a": np.zeros((56, 2), np.float32)}, np.arange(56), np.arange(56))
    figure = embedding_figure({"PCA": RNG.normal(size=(56, 2)).astype(np.float32)}, features, names, layer="a")
    looks = {
        (tuple(points.get_edgecolors()[0]), points.get_paths()[0].vertices.tobytes())
        for points in figure.axes[0].collections
    }
    assert len(looks) == 56
