"""Features come back as they were written, and never those of another network, setting or video."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_features import LEVELS, SETTINGS, computed, files_of, key_of, other_weights, small_encoder, two_clips

from vidcls.datasets import VideoFolder
from vidcls.errors import FeatureError, MissingFeaturesError
from vidcls.features import FeatureKey, FeatureStore, default_root
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, VideoRecord
from vidcls.video import LocalFile


@pytest.fixture
def record(clip_dataset: VideoFolder, tmp_path: Path) -> VideoRecord:
    """A video of its own, which a test may change."""
    first = clip_dataset.split("test")[0]
    place = tmp_path / "video.avi"
    shutil.copyfile(first.path, place)
    return replace(first, source=LocalFile(place))


def drawn(key: FeatureKey, *, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {level: torch.randn(key.num_views, *shape, generator=generator) for level, shape in key.shapes.items()}


def test_features_come_back_in_half_precision_with_what_they_are_beside_them(
    tmp_path: Path, record: VideoRecord
) -> None:
    store = FeatureStore(tmp_path / "features", key_of())
    assert not store.has(record)
    tokens = drawn(store.key)
    store.prepare()
    num_bytes = store.write(record, tokens)
    assert store.has(record)
    assert store.path_of(record) == tmp_path / "features" / store.key.digest / f"{record.name}.safetensors"
    assert store.path_of(record).stat().st_size == num_bytes
    found = pickle.loads(pickle.dumps(store)).read(record)
    assert list(found) == list(LEVELS)
    assert found["block4"].shape == (2, 3, 7, 64)
    assert all(torch.equal(found[level], tokens[level].half()) for level in LEVELS)
    facts = json.loads((store.folder / "features.json").read_text())
    assert facts["backbone"] == "small"
    assert facts["weights"] == store.key.weights
    assert facts["levels"] == {"block4": [3, 7, 64], "read_out": [3, 1, 64]}
    assert facts["inputs"]["transform"]["crop_px"] == [24, 28]
    assert facts["digest"] == store.digest
    assert store.key.num_bytes == sum(t.numel() * 2 for t in tokens.values()) < num_bytes


def test_a_job_carries_nothing_of_other_videos(tmp_path: Path, clip_dataset: VideoFolder) -> None:
    records = clip_dataset.split("train")
    store, _ = computed(records, tmp_path / "features")
    assert all(store.has(record) for record in records)
    assert len(pickle.dumps(store)) < len(pickle.dumps(FeatureStore(store.root, store.key))) + 100


def test_every_setting_that_a_view_depends_on_is_another_key_and_no_other_is() -> None:
    transform = SETTINGS.transform
    clip = SETTINGS.clip

    def with_transform(**changes: object) -> FeatureKey:
        return key_of(settings=replace(SETTINGS, transform=replace(transform, **changes)))  # type: ignore[arg-type]

    backbone = small_encoder().backbone
    encoder = small_encoder()
    encoder.levels, encoder.grid = ("block3", "block4"), (2, 3)
    keys = {
        "as it is": key_of(),
        "weights": key_of(other_weights),
        "clips": key_of(settings=two_clips),
        "frames": key_of(settings=replace(SETTINGS, clip=replace(clip, num_snippets=4))),
        "stride": key_of(settings=replace(SETTINGS, clip=replace(clip, stride=2))),
        "seconds": key_of(settings=replace(SETTINGS, stride_seconds=0.1)),
        "short": key_of(settings=replace(SETTINGS, short_videos="repeat_last")),
        "decoder": key_of(settings=replace(SETTINGS, decoder="pyav")),
        "resize": with_transform(resize_px=30),
        "crop": with_transform(crop_px=24),
        "crops": with_transform(test_crops=1),
        "mean": with_transform(rgb_mean=(0.5, 0.5, 0.5)),
        "std": with_transform(rgb_std=(0.5, 0.5, 0.5)),
        "levels": FeatureKey.of(encoder, SETTINGS, backbone="small"),
        "grid": FeatureKey.of(type(encoder)(backbone, LEVELS, (3, 2), 3), SETTINGS, backbone="small"),
        "name": FeatureKey.of(small_encoder(), SETTINGS, backbone="other"),
        "type": FeatureKey.of(small_encoder(), SETTINGS, backbone="small", dtype="float32"),
    }
    assert len({key.digest for key in keys.values()}) == len(keys)
    of_training = replace(
        SETTINGS,
        score="logits",
        clip=ClipSettings(num_snippets=3, clip_len=1, flow_len=3),
        transform=TransformSettings(
            resize_px=24, crop_px=(24, 28), test_crops=2, train_crop="center", flip_probability=0.0, color_jitter=0.3
        ),
    )
    assert key_of(settings=of_training) == key_of()
    assert replace(key_of()).digest == key_of().digest


def test_keys_lie_side_by_side_and_are_never_mixed(tmp_path: Path, record: VideoRecord) -> None:
    root = tmp_path / "features"
    ours, theirs = (computed([record], root, make)[0] for make in (small_encoder, other_weights))
    assert ours.folder != theirs.folder
    assert not torch.equal(ours.read(record)["block4"], theirs.read(record)["block4"])
    before = files_of(ours)
    computed([record], root, settings=two_clips)
    assert files_of(ours) == before
    with pytest.raises(MissingFeaturesError, match=r"no features of .*: run the same command") as missing:
        FeatureStore(tmp_path / "elsewhere", ours.key).read(record)
    assert "others" not in str(missing.value)
    shutil.rmtree(theirs.folder)
    with pytest.raises(MissingFeaturesError, match="but others of it"):
        FeatureStore(root, theirs.key).read(record)


def test_a_folder_of_features_of_other_weights_is_refused_with_both_hashes(tmp_path: Path, record: VideoRecord) -> None:
    store, _ = computed([record], tmp_path / "features")
    other = key_of(other_weights)
    with pytest.raises(FeatureError) as refused:
        FeatureStore(store.folder, other)
    for text in (store.key.weights[:16], other.weights[:16], store.digest, other.digest):
        assert text in str(refused.value)
    with pytest.raises(FeatureError, match=r"inputs.test_clips 1, expected inputs.test_clips 2"):
        FeatureStore(store.folder, key_of(settings=two_clips))
    assert torch.equal(FeatureStore(store.folder, store.key).read(record)["block4"], store.read(record)["block4"])


def test_a_file_of_another_key_or_shape_is_refused(tmp_path: Path, record: VideoRecord) -> None:
    root = tmp_path / "features"
    ours, theirs = (computed([record], root, make)[0] for make in (small_encoder, other_weights))
    shutil.copyfile(theirs.path_of(record), ours.path_of(record))
    with pytest.raises(FeatureError, match=f"key {theirs.digest} .*expected {ours.digest}") as refused:
        ours.read(record)
    assert ours.key.weights[:16] in str(refused.value)
    assert theirs.key.weights[:16] in str(refused.value)
    assert not ours.has(record)
    shorter = {level: (shape[0] - 1, *shape[1:]) for level, shape in ours.key.shapes.items()}
    other = FeatureStore(root, replace(ours.key, shapes=shorter))
    other.digest, other.folder = ours.digest, ours.folder  # as a mistake would write it
    other.write(record, drawn(other.key))
    with pytest.raises(FeatureError, match=r"has block4 2x2x7x64 float16, .*expected block4 2x3x7x64 float16"):
        ours.read(record)


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.999])
def test_a_truncated_file_is_refused_and_computed_again(tmp_path: Path, record: VideoRecord, keep: float) -> None:
    store, _ = computed([record], tmp_path / "features")
    whole = store.path_of(record).read_bytes()
    store.path_of(record).write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(FeatureError, match="is damaged"):
        store.read(record)
    _, report = computed([record], tmp_path / "features")
    assert (report.num_done, report.num_kept) == (1, 0)
    assert store.path_of(record).read_bytes() == whole


def test_features_of_another_video_are_refused(tmp_path: Path, clip_dataset: VideoFolder, record: VideoRecord) -> None:
    store, _ = computed([record], tmp_path / "features")
    record.path.touch()
    assert store.has(record)  # the same video with another date
    shutil.copyfile(clip_dataset.split("test")[-1].path, record.path)
    for same in (store, FeatureStore(tmp_path / "features", store.key)):
        with pytest.raises(FeatureError, match="computed from another video"):
            same.read(record)
    record.path.unlink()
    with pytest.raises(FeatureError, match="cannot be read"):
        store.read(record)


def test_values_that_half_precision_cannot_hold_are_refused_not_kept(tmp_path: Path, record: VideoRecord) -> None:
    store = FeatureStore(tmp_path / "features", key_of())
    store.prepare()
    tokens = drawn(store.key)
    tokens["read_out"][0, 0, 0, :2] = 1e5
    with pytest.raises(FeatureError, match=r"2 of 384 values of level read_out .*float16 \(largest 1e\+05\)"):
        store.write(record, tokens)
    tokens["read_out"][0, 0, 0, :2] = float("nan")
    with pytest.raises(FeatureError, match="2 of 384 values"):
        store.write(record, tokens)
    assert not files_of(store)
    single = FeatureStore(tmp_path / "features", replace(store.key, dtype="float32"))
    single.prepare()
    tokens["read_out"][0, 0, 0, :2] = 1e5
    single.write(record, tokens)
    assert torch.equal(single.read(record)["read_out"], tokens["read_out"])


def test_a_damaged_description_of_the_folder_is_refused(tmp_path: Path, record: VideoRecord) -> None:
    store, _ = computed([record], tmp_path / "features")
    for content, words in (("{", "cannot be read"), ('{"a": 1}', "not of a folder of features")):
        (store.folder / "features.json").write_text(content)
        with pytest.raises(FeatureError, match=words):
            FeatureStore(tmp_path / "features", store.key)


def test_each_data_set_has_a_folder_of_its_own_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first, second = default_root(tmp_path / "a" / "my videos"), default_root(tmp_path / "b" / "my videos")
    assert first.parent == second.parent == tmp_path / "cache" / "vidcls" / "features"
    assert first.name.startswith("my_videos-")
    assert first != second
