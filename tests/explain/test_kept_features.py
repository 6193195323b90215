"""Kept features of layers are those that a network gives, to the last digit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories import saved_run, two_stream, video_data

from vidcls.datasets import VideoFolder
from vidcls.errors import FeatureError
from vidcls.explain.features import collect_features
from vidcls.explain.kept_features import Elsewhere, kept_features, layer_store
from vidcls.flow import FlowSettings
from vidcls.inference import Scorer
from vidcls.jobs import InThisProcess
from vidcls.models import load_classifier


def test_kept_features_are_those_of_the_network(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    flow = FlowSettings(method="farneback", short_side_px=32)
    data = video_data(clip_dataset, streams=["rgb", "flow"], flow_settings=flow, test_batch_size=4)
    scorer = Scorer.of(two_stream().eval(), data.input_settings)
    expected = collect_features(scorer, data.single_view_loader("test"))
    store = layer_store(tmp_path, scorer, data)
    for _ in range(2):  # computed, then read
        found = kept_features(scorer, data, "test", store)
        assert list(found.by_layer) == list(expected.by_layer)
        assert all(np.array_equal(found.by_layer[layer], expected.by_layer[layer]) for layer in expected.by_layer)
        assert np.array_equal(found.labels, expected.labels)
        assert np.array_equal(found.indices, expected.indices)
    other = Scorer.of(two_stream(seed=1).eval(), data.input_settings)
    assert layer_store(tmp_path, other, data).folder != store.folder
    with pytest.raises(FeatureError, match=r"weights [0-9a-f]{16}, expected weights [0-9a-f]{16}"):
        layer_store(store.folder, other, data)


def test_workers_that_read_the_checkpoint_keep_the_same_but_for_rounding(
    clip_folder: Path, clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    data = video_data(clip_dataset)
    checkpoint = saved_run(tmp_path / "run", data) / "checkpoints" / "best.ckpt"
    scorer = Scorer.of(load_classifier(checkpoint).eval(), data.input_settings)
    expected = kept_features(scorer, data, "test", layer_store(tmp_path / "here", scorer, data))
    store = layer_store(tmp_path / "there", scorer, data)
    found = kept_features(scorer, data, "test", store, Elsewhere(InThisProcess(), checkpoint))
    assert list(found.by_layer) == list(expected.by_layer)
    for layer, values in expected.by_layer.items():
        np.testing.assert_allclose(found.by_layer[layer], values, rtol=1e-4, atol=1e-5)
    assert {path.suffix for path in store.folder.rglob("*.safetensors")} == {".safetensors"}
