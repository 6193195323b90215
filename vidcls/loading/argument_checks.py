"""What the data module was given -> what it means for this data set, or one error where the two do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vidcls.class_names import label_text
from vidcls.datasets.folds import refold, revalidate
from vidcls.datasets.record_facts import class_pairs
from vidcls.errors import ConfigurationError, DatasetError, listed
from vidcls.flow import FlowSettings, FlowSource, open_flow_store
from vidcls.tasks import Task
from vidcls.transforms import TransformSettings
from vidcls.types import Stream, VideoRecord, sees
from vidcls.video.reader import Backend


def folded(
    records: Sequence[VideoRecord],
    num_folds: int | None,
    fold: int | None,
    fold_seed: int = 0,
    *,
    val_folds: int | None = None,
    val_fold: int | None = None,
) -> Sequence[VideoRecord]:
    """The records with the splits that the folds give them, or as they are where no folds are asked for."""
    if (val_folds is None) != (val_fold is None):
        raise ValueError(f"val_folds and val_fold belong together, got {val_folds} and {val_fold}: give both")
    if val_folds is not None and val_fold is not None:
        return revalidate(folded(records, num_folds, fold, fold_seed), val_folds, val_fold, seed=fold_seed)
    if (num_folds is None) != (fold is None):
        raise ValueError(f"num_folds and fold belong together, got num_folds={num_folds} and fold={fold}: give both")
    if num_folds is None or fold is None:
        return records
    return refold(records, num_folds, fold, seed=fold_seed)


def matched(wanted: list[str] | None, found: list[str]) -> list[str]:
    """The classes in the order of the logits; what the data has beyond them is an error."""
    if wanted is None:
        return found
    unknown = sorted(set(found) - set(wanted))
    if unknown:
        raise DatasetError(
            f"the data has the class {unknown[0]!r}, which the model does not know (it knows {listed(wanted)}): "
            "leave these videos out, or train a model on them"
        )
    return list(wanted)


def check_labels(records: Sequence[VideoRecord], task: Task) -> None:
    """DatasetError where a video has several labels or none, and the task takes one."""
    if not task.has_one_class:
        return
    counts = np.bincount(class_pairs(records)[0], minlength=len(records))
    others = np.flatnonzero(counts != 1)
    if len(others):
        record = records[int(others[0])]
        labels = "no label" if not record.classes else f"{len(record.classes)} labels ({label_text(record.classes)})"
        raise DatasetError(
            f"{record.name} has {labels}, but the task {task.name} takes exactly one for each video: pass --task "
            "multi_label, or list one"
        )


def without_classes(
    class_names: list[str], records: Sequence[VideoRecord], left_out: Sequence[str]
) -> tuple[list[str], Sequence[VideoRecord], list[VideoRecord]]:
    """The other classes, their videos, and the test videos that have one of those that are left out.

    Raises:
        ConfigurationError: one of them is no class.
    """
    if not left_out:
        return class_names, records, []
    unknown = [name for name in left_out if name not in class_names]
    if unknown:
        raise ConfigurationError(
            f"left_out_classes names {unknown[0]!r}, which is no class: the classes are {listed(class_names)}"
        )
    kept = [name for name in class_names if name not in left_out]
    if len(kept) < 2:
        raise ConfigurationError(f"left_out_classes leaves {len(kept)} of {len(class_names)} classes: leave at least 2")
    is_left_out = [any(name in left_out for name in record.classes) for record in records]
    known = [record for record, out in zip(records, is_left_out, strict=True) if not out]
    tested = [record for record, out in zip(records, is_left_out, strict=True) if out and record.split == "test"]
    return kept, known, tested


def check_swaps(transform: TransformSettings, class_names: Sequence[str]) -> None:
    """ConfigurationError where a map of labels names what is no class."""
    maps = {
        "flip_label_swaps": transform.flip_label_swaps,
        "reverse_labels": transform.reverse_labels,
        "speed_labels": transform.speed_labels,
    }
    for option, labels in maps.items():
        unknown = sorted({*labels, *labels.values()} - set(class_names))
        if unknown:
            raise ConfigurationError(
                f"transform.{option} names {unknown[0]!r}, which is no class: the classes are {listed(class_names)}"
            )


def check_speed(transform: TransformSettings, flow_on: str) -> None:
    """ConfigurationError where clips change their speed, whose flow the device would estimate as filmed."""
    if flow_on == "device" and transform.speed_range != (1.0, 1.0):
        raise ConfigurationError(
            f"transform.speed_range {list(transform.speed_range)} cannot be used with flow_on: device, which estimates "
            "flow between neighbouring frames of the file: set flow_on worker, or remove it"
        )


def flow_of(
    folder: str | None, settings: FlowSettings | None, decoder: Backend | None
) -> tuple[FlowSource | None, FlowSettings]:
    """Where flow comes from and how it is, or was, computed; ``decoder`` reads the clips."""
    if folder is None or folder.lower() == "none":
        if settings is not None and settings.method == "imported":
            raise ConfigurationError(
                "flow_settings.method is imported: such flow cannot be computed; pass its folder as flow"
            )
        return None, settings or FlowSettings()
    store = open_flow_store(folder, imported=settings)
    if settings is not None and not settings.allows(store.settings):
        raise ConfigurationError(
            f"{folder}: holds flow of {store.settings.describe()}, but flow_settings asks for {settings.describe()}: "
            "leave flow_settings out, or compute the flow again into another folder"
        )
    if store.settings.backend(None) == decoder or store.settings.method == "imported":
        return store, replace(store.settings, decoder=None)
    return store, replace(store.settings, decoder=store.settings.decoder or "default")


def check_flow_on(
    flow_on: str, streams: Sequence[Stream], folder: str | None, settings: FlowSettings | None, decoder: Backend | None
) -> None:
    """ConfigurationError where flow is to be estimated on the device, but none is, or it lies stored already."""
    if flow_on == "worker":
        return
    if not sees(streams, "flow"):
        raise ConfigurationError(
            f"flow_on: {flow_on} has no effect, since this model has no flow stream: remove it, or choose a model such "
            "as TwoStream"
        )
    if folder is not None and folder.lower() != "none":
        raise ConfigurationError(
            f"flow_on: {flow_on} and the stored flow {folder} exclude each other: leave one of them out"
        )
    if settings is not None and settings.short_side_px is not None:
        raise ConfigurationError(
            f"flow_on: {flow_on} estimates flow at the size of the crops, so flow_settings.short_side_px "
            f"({settings.short_side_px}) has no effect: remove it"
        )
    if settings is not None and settings.backend(decoder) != decoder:
        raise ConfigurationError(
            f"flow_on: {flow_on} estimates flow between the frames of the clips (decoder: {decoder}), so "
            f"flow_settings.decoder ({settings.decoder}) has no effect: remove it"
        )


def check_repeats(num_repeats: int, batch_size: int) -> None:
    """ValueError where a batch cannot hold so many clips of each of its videos."""
    if num_repeats < 1:
        raise ValueError(f"num_repeats must be at least 1, got {num_repeats}")
    if batch_size % num_repeats:
        raise ValueError(
            f"num_repeats is {num_repeats}, so batch_size must be a multiple of it, got {batch_size}: a batch holds "
            f"{num_repeats} clips of each of its videos"
        )


def check_sound(streams: Sequence[Stream], *, prepare: str, is_mixed: bool) -> None:
    """ConfigurationError where something that is asked for would lose or spoil the sound of the videos."""
    if not sees(streams, "audio"):
        return
    if prepare != "never":
        raise ConfigurationError(
            f"prepare: {prepare} trains on copies without sound, which this model hears: set prepare never"
        )
    if is_mixed:
        raise ConfigurationError(
            "mixup_alpha and cutmix_alpha mix pictures, and this model also hears: set both to 0, or choose a model "
            "without an audio stream"
        )


def check_ranges(
    max_bad_share: float, read_limit_seconds: float | None, *, mixup_alpha: float, cutmix_alpha: float
) -> None:
    """ValueError where a number has no meaning."""
    if not 0 <= max_bad_share <= 1:
        raise ValueError(f"max_bad_share must lie in 0 to 1, got {max_bad_share}")
    if read_limit_seconds is not None and read_limit_seconds <= 0:
        raise ValueError(f"read_limit_seconds must be above 0 or null, got {read_limit_seconds}")
    if mixup_alpha < 0 or cutmix_alpha < 0:
        raise ValueError(f"mixup_alpha and cutmix_alpha must be 0 or more, got {mixup_alpha} and {cutmix_alpha}")
