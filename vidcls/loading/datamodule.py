"""A data set -> loaders of training clips, validation videos and test videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from lightning.pytorch import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from vidcls.clips.reader import ClipReader
from vidcls.clips.settings import InputSettings
from vidcls.datasets.record_facts import together
from vidcls.flow.saturation import DeviceTally, Saturation, SaturationTally
from vidcls.inference.network_input import NetworkInput, with_flow
from vidcls.loading.batches import augmented_batch, collate
from vidcls.loading.clip_dataset import BadTestVideos, BadVideos, ClipKey, OrderedVideos, TrainClips
from vidcls.loading.known_bad import refuse_known_bad
from vidcls.loading.mixing import mixed
from vidcls.loading.process_checks import check_processes
from vidcls.loading.samplers import OrderedBatches, TrainBatches, balanced_chances
from vidcls.loading.sound_checks import check_heard
from vidcls.loading.sturdy_loader import SturdyLoader, leave_signals_to_parent
from vidcls.loading.train_loader import TrainLoader
from vidcls.loading.training_copies import NEVER, CopyInUse, prepare_training, use_copy
from vidcls.loading.unchanged_files import UnchangedFiles
from vidcls.loading.video_data import VideoData
from vidcls.loading.worker_watch import WorkerWatch
from vidcls.types import Batch, BringsTrainBatches, Split, VideoRecord, sees
from vidcls.video.source import VideoSource


class VideoDataModule(VideoData, LightningDataModule):
    """Decodes, samples, transforms and batches the videos of a data set.

    Its arguments are those of :class:`vidcls.loading.video_data.VideoData`.
    """

    _train_loader: TrainLoader | None = None
    _position: dict[str, int] | None = None  # of a checkpoint, to go on from
    copy_in_use: CopyInUse | None = None
    """What a training reads in place of the videos themselves."""

    @cached_property
    def _seen_flow(self) -> dict[Split, SaturationTally]:
        """By the processes that load."""
        return {}

    @cached_property
    def _seen_flow_on_device(self) -> dict[Split, DeviceTally]:
        return {}

    @cached_property
    def known_bad(self) -> dict[VideoSource, str]:
        """Files that cannot be read, as an earlier check or a loader of this run found out, and why; not opened."""
        return {}

    @cached_property
    def _unchanged(self) -> dict[str, UnchangedFiles]:
        """Of a training, by split."""
        return {}

    @cached_property
    def _network_input(self) -> NetworkInput:
        return NetworkInput(self.input_settings)

    def flow_saturation(self, name: Split) -> Saturation:
        """What the bound cut of the flow that was loaded from a split so far, for this process."""
        seen = self._seen_flow_on_device if self.input_settings.flow_on == "device" else self._seen_flow
        return seen[name].total() if name in seen else Saturation()

    @property
    def waited_seconds(self) -> float:
        """How long training batches were waited for so far, but for the first of each epoch."""
        return self._train_loader.waited_seconds if self._train_loader is not None else 0.0

    # --- Lightning ----------------------------------------------------------------------------------------------

    def prepare_data(self) -> None:
        """Write what must exist before the first video is read, and for a training the copy that was asked for."""
        super().prepare_data()
        if self._wants_copy():
            assert self.trainer is not None
            prepare_training(self, self.trainer)

    def setup(self, stage: str) -> None:
        """Refuse a trainer that would deal the batches again, and missing splits, before anything is loaded."""
        wanted: dict[str, tuple[Split, ...]] = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}
        records = together([self.split(split) for split in wanted.get(stage, ())])
        self.known_bad = refuse_known_bad(
            records,
            bad_videos=self.bad_videos,
            bad_test_videos=self.bad_test_videos,
            decoder=self.input_settings.decoder,
        )
        if sees(self.input_settings.streams, "audio"):
            for split in wanted.get(stage, ()):
                check_heard(self.split(split), split, self.known_bad)
        if stage == "fit" and self._wants_copy():
            self.copy_in_use = use_copy(self)
        if stage == "fit":  # each video is read again and again, and must stay what it is
            self._unchanged = {split: UnchangedFiles(self.split(split)) for split in wanted["fit"]}
        if self.trainer is not None:
            check_processes(self.trainer, bad_videos=self.bad_videos)

    def train_dataloader(self) -> TrainLoader | Iterable[Batch]:
        """Random clips; the same ones whatever the number of workers. Or what the model brings in their place."""
        model = self.trainer.lightning_module if self.trainer is not None else None
        if isinstance(model, BringsTrainBatches) and (batches := model.train_batches()) is not None:
            return batches
        records = self.split("train")
        reader = self._reader("train", self.input_settings)
        is_deferred = self.augment_on == "device"
        watch = self._watch()
        clips = TrainClips(
            records,
            self.task,
            reader,
            bad_videos=self.bad_videos,
            watch=watch,
            unchanged=self._unchanged.get("train"),
            is_deferred=is_deferred,
        )
        weights = None
        if self.class_balanced:
            weights = balanced_chances(records)
        rank, world_size = self._process()
        batches = TrainBatches(
            len(records),
            self.batch_size,
            seed=self.seed,
            num_repeats=self.num_repeats,
            weights=weights,
            is_fixed=self.trainer is not None and self.trainer.overfit_batches > 0,  # type: ignore[attr-defined]
            rank=rank,
            world_size=world_size,
        )
        if self._train_loader is not None:  # of another batch size, where a callback looks for one
            self._train_loader.close()
        self._train_loader = TrainLoader(self._loader(clips, batches, watch), batches)
        if self._position is not None:
            self._train_loader.load_state_dict(self._position)
        return self._train_loader

    def val_dataloader(self) -> SturdyLoader:
        """One centred clip of each validation video."""
        return self._ordered("val", self.input_settings.single_view(), self.bad_test_videos, views=False)

    def test_dataloader(self) -> SturdyLoader:
        """Every view of each test video."""
        return self._ordered("test", self.input_settings, self.bad_test_videos, views=True)

    def held_out_loader(self) -> SturdyLoader:
        """Every view of each validation video, as a test would see it."""
        return self._ordered("val", self.input_settings, self.bad_test_videos, views=True)

    def left_out_loader(self) -> SturdyLoader:
        """Every view of each test video of a class that was left out; labels are of any class, and mean nothing."""
        label = self.class_names[0]
        records = [replace(record, label=label, several=None) for record in self.left_out]
        return self._ordered("test", self.input_settings, "leave_out", views=True, records=records)

    def single_view_loader(self, name: Split, records: Sequence[VideoRecord] | None = None) -> SturdyLoader:
        """One centred clip of each video of a split, in order; bad ones of the training split are treated as asked.

        Args:
            name: of the split.
            records: some of its videos, whose places in this list are then their numbers; by default all.
        """
        bad_videos = self.bad_videos if name == "train" else "error"
        return self._ordered(name, self.input_settings.single_view(), bad_videos, views=False, records=records)

    def state_dict(self) -> dict[str, int]:
        """Where training stands in the epoch, for checkpoints.

        Lightning would keep the state of the loader itself, but does not load it where ``configure_optimizers`` has
        asked for the number of steps, since the loader is there by then.
        """
        return self._train_loader.state_dict() if self._train_loader is not None else {}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from there at the next ``fit``."""
        self._position = state_dict or None

    def teardown(self, stage: str) -> None:  # noqa: ARG002
        """Forget what belonged to one run (position of the checkpoint, dates of files), and end the workers."""
        self._position = None
        self._unchanged = {}
        if self.copy_in_use is not None:
            self.copy_in_use.undo(self)
            self.copy_in_use = None
        if self._train_loader is not None:
            self._train_loader.close()

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Draw how training clips are mixed while the numbers of the videos are still in the processor's memory."""
        if self.trainer is not None and self.trainer.training and (self.mixup_alpha or self.cutmix_alpha):
            key = ClipKey(self.seed, self.trainer.current_epoch, int(batch["index"].sum()))
            batch["mixing_seed"] = key.derived_seed()
        return batch

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Normalise on the device, mirror, colour and mix training clips there; in the precision of the training."""
        settings = self.input_settings
        batch = augmented_batch(batch, settings.loaded_kinds)
        streams = with_flow(batch["streams"], settings)
        self._count_estimated(streams)
        self._network_input = self._network_input.on(batch["label"].device)
        batch["streams"] = self._network_input.normalised(streams)
        if self.trainer is None:
            return batch
        if "mixing_seed" in batch:
            seed, alphas = batch.pop("mixing_seed"), (self.mixup_alpha, self.cutmix_alpha)
            batch = mixed(batch, len(self.class_names), mixup_alpha=alphas[0], cutmix_alpha=alphas[1], seed=seed)
        # Lightning does so before this hook, when frames are whole numbers yet.
        return self.trainer.precision_plugin.convert_input(batch)

    def _wants_copy(self) -> bool:
        return self.prepare != NEVER and self.trainer is not None and self.trainer.state.fn == "fit"

    # --- the rest -----------------------------------------------------------------------------------------------

    def _count_estimated(self, streams: Mapping[str, Tensor]) -> None:
        """Note how much of the flow that was estimated here its bound cut."""
        settings = self.input_settings.flow_settings
        here = [name for name, kind in self.input_settings.loaded_kinds.items() if kind == "frame_pairs"]
        for name in here:
            if name in streams and self.trainer is not None and settings is not None:
                tally = self._seen_flow_on_device.setdefault(self._running(self.trainer), DeviceTally())
                tally.add(streams[name], settings.bound_px)

    @staticmethod
    def _running(trainer: Trainer) -> Split:
        return "train" if trainer.training else "test" if trainer.testing else "val"

    def _reader(self, name: Split, settings: InputSettings) -> ClipReader:
        tally = None
        if sees(settings.streams, "flow"):
            tally = self._seen_flow[name] = SaturationTally(self.num_workers)
        return ClipReader(settings, self.flow_source, self.known_bad, tally)

    def _process(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)

    def _watch(self) -> WorkerWatch:
        return WorkerWatch(self.num_workers, self.read_limit_seconds)

    def _ordered(
        self,
        name: Split,
        settings: InputSettings,
        bad_videos: BadVideos | BadTestVideos,
        *,
        views: bool,
        records: Sequence[VideoRecord] | None = None,
    ) -> SturdyLoader:
        reader, watch = self._reader(name, settings), self._watch()
        videos = OrderedVideos(
            self.split(name) if records is None else records,
            self.task,
            reader,
            views=views,
            bad_videos=bad_videos,
            watch=watch,
            unchanged=self._unchanged.get(name) if records is None else None,
        )
        rank, world_size = self._process()
        batches = OrderedBatches(len(videos), self.test_batch_size, rank=rank, world_size=world_size)
        return self._loader(videos, batches, watch)

    def _loader(
        self, videos: TrainClips | OrderedVideos, batches: TrainBatches | OrderedBatches, watch: WorkerWatch
    ) -> SturdyLoader:
        loader: DataLoader[Batch] = DataLoader(
            videos,  # type: ignore[arg-type]
            batch_sampler=batches,
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=self._on_gpu(),
            worker_init_fn=leave_signals_to_parent,
            persistent_workers=self.num_workers > 0 and isinstance(videos, TrainClips),
        )
        return SturdyLoader(loader, videos, batches, watch)

    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
