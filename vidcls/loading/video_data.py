"""A data set and how it is to be loaded -> records, classes and the settings of its clips; Lightning is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from vidcls.clips.settings import FlowOn, InputSettings
from vidcls.datasets import VideoDataset
from vidcls.datasets.record_facts import class_counts, in_split
from vidcls.errors import DatasetError
from vidcls.flow import FlowSettings, FlowSource
from vidcls.loading.argument_checks import (
    check_flow_on,
    check_labels,
    check_ranges,
    check_repeats,
    check_sound,
    check_speed,
    check_swaps,
    flow_of,
    folded,
    matched,
    without_classes,
)
from vidcls.loading.clip_dataset import BadTestVideos, BadVideos
from vidcls.tasks import TaskName, task_of
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, ScoreRule, Split, Stream, StreamKind, VideoRecord, as_streams, sees
from vidcls.video.reader import Backend
from vidcls.video.sampling import ShortPolicy


class VideoData:
    """What is trained and tested on, and how: videos with their classes, the clips of them, and how they are loaded.

    Nothing is opened here; :class:`vidcls.VideoDataModule` loads.

    Args:
        dataset: which videos there are; a class such as VideoFolder, VideoCsv, UCF101 or MovingShapes.
        streams: what the model sees; the model tells it.
        num_snippets: S, snippets in a sample, one from each of S equal segments; 1 takes one clip anywhere.
        clip_len: frames in each snippet.
        stride: frames of the file between two frames that are read.
        stride_seconds: seconds between two frames that are read, in place of ``stride``, where frame rates differ.
        flow_len: neighbouring flow fields in each snippet, centred on its middle RGB frame.
        short_videos: what stands where a video is shorter than a clip: ``loop`` starts again, ``last`` repeats the last
            frame, ``error`` refuses the video.
        transform: sizes, crops, flips and normalisation.
        test_clips: clips of each test video, evenly spaced; their scores are averaged.
        score: what is averaged over clips and crops, and by the fusions ``mean`` and ``weighted`` over two streams:
            ``probabilities`` after softmax, or ``logits`` before it, as TSN and I3D have it; left out: what the
            checkpoint says, else probabilities.
        flow: folder of stored flow (scripts/precompute_flow.py), or ``none`` to compute it while loading.
        flow_settings: method, size and bound of flow that is computed while loading; a store brings its own.
        flow_on: where flow without a store is computed: by the ``worker`` that loads, at the size of ``flow_settings``,
            as a store would hold it; or on the ``device``, in the step, between the crops that the network sees, with
            the method ``tvl1`` or ``raft`` in batches on a GPU.
        audio_seconds: seconds of sound around the middle of each snippet, for models that hear; left out: 0.96.
        num_folds: cut train and test again into so many folds by group, in place of the data set's own split.
        fold: which of these folds is the test, from 0.
        fold_seed: of the cut into folds, where there are more groups than folds: 0 spreads classes evenly, another
            shuffles the groups.
        val_folds: cut train and val again into so many folds by group, and leave test as it is, so that settings are
            chosen by cross-validation without it.
        val_fold: which of these folds is val, from 0.
        class_names: the classes in the order of the logits; left out: those of the data set.
        left_out_classes: classes whose videos are not trained on, validated or tested; those of the test stand for
            videos of no class, to measure how well unknown videos are told from known ones.
        task: what a label means: ``single_label``, one class for each video, or ``multi_label``, several or none;
            left out: what the checkpoint says, else single_label. Also --task.
        batch_size: videos in a training batch of one process.
        test_batch_size: videos in a validation or test batch; a test batch has so many times the number of views.
        num_workers: processes that load; 0 loads in the main one.
        prepare: ``auto`` trains on a small copy of the videos in the cache folder, which loads fast, where that saves
            more time than it takes to make; a folder, such as ``./small``, has the copy, or is where it is made;
            ``never`` reads the videos themselves. A copy is compressed again, which changes numbers slightly. A test
            reads the videos themselves.
        class_balanced: draw every class equally often while training.
        num_repeats: R, training clips of each video that is opened (Hoffer et al. 2020), drawn on their own. A batch
            still has ``batch_size`` clips, of ``batch_size / R`` videos, and an epoch, which goes over each video once,
            has R times the steps. Decoding costs less for each clip, above all in files with few key frames.
        augment_on: where training clips are mirrored, coloured, turned and erased: in the ``worker`` that loads
            them, or on the ``device``, with the same numbers but for rounding; the latter where processors are busy.
        mixup_alpha: mix pairs of training clips and their labels with weights from Beta(alpha, alpha) (Zhang et al.
            2018); 0 for none.
        cutmix_alpha: put a box of one training clip into another, of a share from Beta(alpha, alpha) (Yun et al. 2019);
            0 for none. With both, a coin decides for each batch.
        decoder: the one decoder to use; left out: decord, with the others behind it.
        bad_videos: what happens when a training video cannot be read, has no stored flow, or kills the process that
            loads it: ``error``, or ``skip`` it, listed and counted.
        max_bad_share: the share of training videos that may be skipped; more are an error.
        bad_test_videos: what such a video of validation and test comes to: it counts as ``wrong``, by name, or
            ``leave_out`` counts the others alone, or it is an ``error``.
        read_limit_seconds: a loader worker that reads one video longer than this is ended, and the video counts as one
            that cannot be read; ``null`` waits for ever.
        seed: of the order and of everything random in a sample; the run's seed tells it.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        *,
        streams: Sequence[Stream | StreamKind] = ("rgb",),
        num_snippets: int = 1,
        clip_len: int = 1,
        stride: int = 1,
        stride_seconds: float | None = None,
        flow_len: int = 10,
        short_videos: ShortPolicy = "loop",
        transform: TransformSettings | None = None,
        test_clips: int = 1,
        score: ScoreRule | None = None,
        flow: str | None = None,
        flow_settings: FlowSettings | None = None,
        flow_on: FlowOn = "worker",
        audio_seconds: float | None = None,
        num_folds: int | None = None,
        fold: int | None = None,
        fold_seed: int = 0,
        val_folds: int | None = None,
        val_fold: int | None = None,
        class_names: list[str] | None = None,
        left_out_classes: list[str] | None = None,
        task: TaskName | None = None,
        batch_size: int = 8,
        test_batch_size: int = 4,
        num_workers: int = 2,
        prepare: str = "never",
        class_balanced: bool = False,
        num_repeats: int = 1,
        augment_on: Literal["worker", "device"] = "worker",
        mixup_alpha: float = 0.0,
        cutmix_alpha: float = 0.0,
        decoder: Backend | None = None,
        bad_videos: BadVideos = "error",
        max_bad_share: float = 0.1,
        bad_test_videos: BadTestVideos = "wrong",
        read_limit_seconds: float | None = 300.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1 or test_batch_size < 1 or num_workers < 0:
            raise ValueError("batch_size and test_batch_size must be at least 1, num_workers at least 0")
        check_repeats(num_repeats, batch_size)
        check_ranges(max_bad_share, read_limit_seconds, mixup_alpha=mixup_alpha, cutmix_alpha=cutmix_alpha)
        if stride_seconds is not None and stride != 1:
            raise ValueError(
                f"stride={stride} and stride_seconds={stride_seconds} exclude each other: give one of them"
            )
        self.dataset = dataset
        self.num_folds = num_folds
        self.left_out_classes = tuple(left_out_classes or ())
        in_folds = folded(dataset.records, num_folds, fold, fold_seed, val_folds=val_folds, val_fold=val_fold)
        known, self.records, self.left_out = without_classes(dataset.class_names, in_folds, self.left_out_classes)
        self.class_names = matched(class_names, known)
        self.task = task_of(task, self.class_names)
        check_labels(self.records, self.task)
        check_swaps(transform or TransformSettings(), self.class_names)
        self.clip = ClipSettings(num_snippets, clip_len, stride, flow_len)
        self.flow_source: FlowSource | None = None
        check_speed(transform or TransformSettings(), flow_on)
        named = as_streams(streams)
        check_flow_on(flow_on, named, flow, flow_settings, decoder)
        if sees(named, "flow"):
            self.flow_source, flow_settings = flow_of(flow, flow_settings, decoder)
        self.input_settings = InputSettings(
            streams=named,
            clip=self.clip,
            stride_seconds=stride_seconds,
            short_videos=short_videos,
            transform=transform or TransformSettings(),
            test_clips=test_clips,
            flow_settings=flow_settings if sees(named, "flow") else None,
            decoder=decoder,
            flow_on=flow_on,
            score=score or "probabilities",
            audio_seconds=audio_seconds,
        )
        check_sound(named, prepare=prepare, is_mixed=mixup_alpha > 0 or cutmix_alpha > 0)
        self.batch_size = batch_size
        self.test_batch_size = test_batch_size
        self.num_workers = num_workers
        self.prepare = prepare
        self.class_balanced = class_balanced
        self.num_repeats = num_repeats
        self.augment_on = augment_on
        self.mixup_alpha, self.cutmix_alpha = mixup_alpha, cutmix_alpha
        self.bad_videos: BadVideos = bad_videos
        self.max_bad_share = max_bad_share
        self.bad_test_videos: BadTestVideos = bad_test_videos
        self.read_limit_seconds = read_limit_seconds
        self.seed = seed

    def split(self, name: Split) -> Sequence[VideoRecord]:
        """The videos of one split; an empty one is a DatasetError."""
        records = in_split(self.records, name)
        if not records:
            raise DatasetError(
                f"{self.dataset.root}: the {name} split has no video: add some, or set num_folds and fold"
            )
        return records

    def describe_input(self) -> dict[str, object]:
        """How a file becomes a clip, in plain types."""
        return self.input_settings.to_dict()

    def class_counts(self) -> list[int]:
        """Training videos by class, in the order of the class names."""
        counts = class_counts(self.split("train"))
        return [counts[name] for name in self.class_names]

    def prepare_data(self) -> None:
        """Write what must exist before the first video is read."""
        self.dataset.prepare()
