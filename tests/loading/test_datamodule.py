"""The data module: from a data set to batches for a model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from vidcls.clips import InputSettings
from vidcls.datasets import VideoFolder
from vidcls.datasets.base import VideoDataset
from vidcls.errors import ConfigurationError, DatasetError
from vidcls.flow import FlowSettings
from vidcls.flow.precompute import store_video, verify_video
from vidcls.flow.store_writer import FlowStoreWriter
from vidcls.loading import VideoDataModule
from vidcls.transforms import TransformSettings
from vidcls.types import Batch, DescribesInput, VideoRecord
from vidcls.video import BACKENDS, Backend, LocalFile
from vidcls.video.pyav_reader import PyavReader
from vidcls.video.video_reader import Frames

pytestmark = pytest.mark.filterwarnings("ignore")


class Listed(VideoDataset):
    """Records as given."""

    def __init__(self, records: list[VideoRecord]) -> None:
        super().__init__(Path("nowhere"), records)


def data_of(dataset: VideoDataset, **changes: object) -> VideoDataModule:
    given = {
        "streams": ("rgb", "flow"),
        "clip_len": 2,
        "flow_len": 3,
        "transform": TransformSettings(resize_px=32, crop_px=24),
        "batch_size": 4,
        "test_batch_size": 2,
        "num_workers": 0,
        **changes,
    }
    return VideoDataModule(dataset, **given)  # type: ignore[arg-type]


def assert_equal_batches(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second) > 0
    for a, b in zip(first, second, strict=True):
        assert set(a) == set(b) == {"streams", "label", "index"}
        assert set(a["streams"]) == set(b["streams"]) == {"rgb", "flow"}
        for name in ("label", "index"):
            assert torch.equal(a[name], b[name]), name  # type: ignore[literal-required]
        for name in ("rgb", "flow"):
            assert torch.equal(a["streams"][name], b["streams"][name]), name


def test_two_workers_load_what_none_loads(clip_dataset: VideoFolder) -> None:
    alone, helped = data_of(clip_dataset), data_of(clip_dataset, num_workers=2)
    loaders = [data.train_dataloader() for data in (alone, helped)]
    for epoch in range(2):
        for loader in loaders:
            loader.set_epoch(epoch)
        assert_equal_batches(*(list(loader) for loader in loaders))
    assert_equal_batches(list(alone.test_dataloader()), list(helped.test_dataloader()))
    workers = loaders[1].loader.loader._iterator._workers
    assert len(workers) == 2
    helped.teardown("fit")
    assert not any(worker.is_alive() for worker in workers)


def test_flow_computed_while_loading_equals_stored_flow_bit_for_bit(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    settings = FlowSettings(short_side_px=24, bound_px=8)
    writer = FlowStoreWriter.open(tmp_path / "flow", settings)
    for record in clip_dataset.records:
        store_video(writer, record)
    writer.finish()
    stored = data_of(clip_dataset, flow=str(tmp_path / "flow"), test_clips=3)
    computed = data_of(clip_dataset, flow_settings=settings, test_clips=3)
    assert stored.input_settings == computed.input_settings
    assert_equal_batches(list(stored.train_dataloader()), list(computed.train_dataloader()))
    assert_equal_batches(list(stored.test_dataloader()), list(computed.test_dataloader()))
    with pytest.raises(ConfigurationError, match=r"bound 8 px.*flow_settings asks for.*bound 20 px"):
        data_of(clip_dataset, flow=str(tmp_path / "flow"), flow_settings=FlowSettings(short_side_px=24))


@pytest.fixture
def mirroring_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyAV whose frames are mirrored, so that flow shows which decoder it is of."""

    class Mirroring(PyavReader):
        def pixels(self, indices: Sequence[int]) -> Frames:
            return super().pixels(indices)[..., ::-1].copy()

    monkeypatch.setitem(BACKENDS, "pyav", Mirroring)


@pytest.mark.parametrize("flow_decoder", [None, "pyav"])
@pytest.mark.parametrize("clip_decoder", [None, "pyav"])
@pytest.mark.usefixtures("mirroring_pyav")
def test_stored_and_computed_flow_are_of_the_same_decoder_whichever_reads_the_clips(
    clip_dataset: VideoFolder, tmp_path: Path, flow_decoder: Backend | None, clip_decoder: Backend | None
) -> None:
    settings = FlowSettings(short_side_px=24, decoder=flow_decoder)
    writer = FlowStoreWriter.open(tmp_path / "flow", settings)
    for record in clip_dataset.records:
        store_video(writer, record)
        verify_video(writer.store, record)
    writer.finish()
    stored = data_of(clip_dataset, flow=str(tmp_path / "flow"), decoder=clip_decoder)
    kept = InputSettings.from_dict(json.loads(json.dumps(stored.input_settings.to_dict())))  # as a checkpoint has it
    assert kept.flow_settings is not None
    assert kept.flow_settings.backend(clip_decoder) == flow_decoder
    computed = data_of(clip_dataset, flow_settings=kept.flow_settings, decoder=clip_decoder)
    batches = list(stored.test_dataloader())
    assert_equal_batches(batches, list(computed.test_dataloader()))
    other = FlowSettings(short_side_px=24, decoder="decord" if flow_decoder else "pyav")
    differing = list(data_of(clip_dataset, flow_settings=other, decoder=clip_decoder).test_dataloader())
    assert not all(
        torch.equal(a["streams"]["flow"], b["streams"]["flow"]) for a, b in zip(batches, differing, strict=True)
    )


def test_a_store_by_another_decoder_than_asked_for_is_refused(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    FlowStoreWriter.open(tmp_path / "flow", FlowSettings(decoder="pyav")).finish()
    data = data_of(clip_dataset, flow=str(tmp_path / "flow"), flow_settings=FlowSettings())
    assert data.input_settings.flow_settings == FlowSettings(decoder="pyav")
    with pytest.raises(ConfigurationError, match=r"decoder pyav, but flow_settings asks for .*decoder torchcodec"):
        data_of(clip_dataset, flow=str(tmp_path / "flow"), flow_settings=FlowSettings(decoder="torchcodec"))


def test_test_batches_are_the_list_in_order_with_all_views(clip_dataset: VideoFolder) -> None:
    data = data_of(clip_dataset, test_clips=2, transform=TransformSettings(resize_px=32, crop_px=24, test_crops=3))
    batches = list(data.test_dataloader())
    assert [batch["index"].tolist() for batch in batches] == [[0, 1], [2, 3], [4, 5], [6]]
    assert batches[0]["streams"]["rgb"].shape == (2, 6, 3, 2, 24, 24)
    assert batches[3]["streams"]["flow"].shape == (1, 6, 2, 3, 24, 24)
    assert [label for batch in batches for label in batch["label"].tolist()] == [0, 0, 0, 1, 1, 2, 2]


def test_validation_sees_one_centred_clip_of_each_video(clip_dataset: VideoFolder) -> None:
    data = data_of(clip_dataset, test_clips=3, transform=TransformSettings(resize_px=32, crop_px=24, test_crops=10))
    batches = list(data.val_dataloader())
    assert [batch["streams"]["rgb"].shape for batch in batches] == [(2, 3, 2, 24, 24), (1, 3, 2, 24, 24)]


def test_batches_are_normalised_on_their_way_to_the_model(clip_dataset: VideoFolder) -> None:
    transform = TransformSettings(
        resize_px=32, crop_px=24, rgb_mean=(0.5, 0.5, 0.5), rgb_std=(0.5, 0.5, 0.5), flow_std_px=2.0
    )
    data = data_of(clip_dataset, transform=transform)
    batch = next(iter(data.val_dataloader()))
    rgb, flow = batch["streams"]["rgb"].clone(), batch["streams"]["flow"].clone()
    fed = data.on_after_batch_transfer(batch, 0)
    assert torch.allclose(fed["streams"]["rgb"], rgb.float() / 127.5 - 1, atol=1e-6)
    assert torch.allclose(fed["streams"]["flow"], (flow - flow.mean(dim=(-2, -1), keepdim=True)) / 2, atol=1e-6)


def test_the_model_is_told_what_the_data_knows(clip_dataset: VideoFolder) -> None:
    data = data_of(clip_dataset)
    assert isinstance(data, DescribesInput)
    assert data.class_names == ["left", "right", "still"]
    assert data.class_counts() == [4, 4, 4]
    assert data.describe_input() == data.input_settings.to_dict()


def test_classes_follow_the_names_given_and_may_be_absent_from_the_data(clip_dataset: VideoFolder) -> None:
    data = data_of(clip_dataset, class_names=["still", "up", "right", "left"])
    assert data.class_names == ["still", "up", "right", "left"]
    assert data.class_counts() == [4, 0, 4, 4]
    assert [label for batch in data.test_dataloader() for label in batch["label"].tolist()] == [3, 3, 3, 2, 2, 0, 0]


def test_a_class_that_the_model_lacks_is_named(clip_dataset: VideoFolder) -> None:
    with pytest.raises(
        DatasetError, match=r"the class 'still', which the model does not know \(it knows left, right\)"
    ):
        data_of(clip_dataset, class_names=["left", "right"])


def test_class_balanced_drawing_is_even(clip_dataset: VideoFolder) -> None:
    train = clip_dataset.split("train")
    few = [record for record in clip_dataset.records if record.split != "train" or record in train[:5]]
    data = data_of(Listed(few), class_balanced=True, batch_size=5, class_names=clip_dataset.class_names)
    assert data.class_counts() == [4, 1, 0]
    batches = data.train_dataloader()._batches
    drawn: Counter[str] = Counter()
    for epoch in range(200):
        batches.epoch = epoch
        drawn.update(train[key.index].label for batch in batches for key in batch)
    assert sum(drawn.values()) == 1000
    assert 430 <= drawn["right"] <= 570  # mean 500, standard deviation 16


def listed(num_groups: int) -> Listed:
    return Listed(
        [
            VideoRecord(LocalFile(Path(f"{g}{k}.mp4")), "ab"[k], "train", f"{g}{k}.mp4", group=f"group{g}")
            for g in range(num_groups)
            for k in range(2)
        ]
    )


def test_folds_test_every_video_once_and_keep_groups_together() -> None:
    tested: list[str] = []
    for fold in range(4):
        data = data_of(listed(8), num_folds=4, fold=fold)
        groups = {split: {record.group for record in data.split(split)} for split in ("train", "val", "test")}  # type: ignore[arg-type]
        assert not groups["train"] & groups["test"]
        assert not groups["train"] & groups["val"]
        assert not groups["val"] & groups["test"]
        tested += [record.name for record in data.split("test")]
    assert sorted(tested) == sorted(record.name for record in listed(8).records)


def test_another_seed_cuts_other_folds() -> None:
    cuts = [{r.name for r in data_of(listed(12), num_folds=3, fold=0, fold_seed=k).split("test")} for k in (0, 0, 1)]
    assert cuts[0] == cuts[1]
    assert cuts[0] != cuts[2]


@pytest.mark.parametrize("changes", [{"num_folds": 4}, {"fold": 0}])
def test_folds_and_fold_belong_together(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"num_folds and fold belong together.*give both"):
        data_of(listed(8), **changes)


def test_an_empty_part_is_said_before_anything_is_loaded() -> None:
    with pytest.raises(DatasetError, match="the val split has no video: add some, or set num_folds"):
        data_of(listed(2)).setup("fit")


def test_a_label_swap_of_no_class_is_refused(clip_dataset: VideoFolder) -> None:
    transform = TransformSettings(resize_px=32, crop_px=24, flip_label_swaps={"left": "rigth"})
    with pytest.raises(ConfigurationError, match="flip_label_swaps names 'rigth', which is no class"):
        data_of(clip_dataset, transform=transform)


@pytest.mark.parametrize("changes", [{"batch_size": 0}, {"test_batch_size": 0}, {"num_workers": -1}])
def test_sizes_out_of_range_are_refused(clip_dataset: VideoFolder, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        data_of(clip_dataset, **changes)


def test_imported_flow_without_its_folder_is_refused(clip_dataset: VideoFolder) -> None:
    with pytest.raises(ConfigurationError, match="method is imported: such flow cannot be computed; pass its folder"):
        data_of(clip_dataset, flow_settings=FlowSettings(method="imported"))


def test_synchronised_batch_normalisation_is_refused_on_the_cpu_in_one_line(clip_dataset: VideoFolder) -> None:
    data = data_of(clip_dataset)
    data.trainer = Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        sync_batchnorm=True,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
    )
    with pytest.raises(ConfigurationError, match=r"sync_batchnorm: true works on GPUs alone.*sync_batchnorm false"):
        data.setup("fit")
