"""A store of features and its videos -> what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch

from vidcls.clips.settings import InputSettings
from vidcls.errors import FeatureError
from vidcls.features.compute import over_videos
from vidcls.features.encoding import BATCH_FRAMES, Device, MakeEncoder, VideoEncoder, forget_encoders
from vidcls.features.report import Report
from vidcls.features.store import FeatureStore
from vidcls.flow import FlowSource
from vidcls.jobs import Pool
from vidcls.types import VideoRecord

NUM_RECOMPUTED = 3


def verify(
    records: Sequence[VideoRecord],
    store: FeatureStore,
    make_encoder: MakeEncoder,
    settings: InputSettings,
    *,
    pool: Pool,
    flow_source: FlowSource | None = None,
    device: Device = "cpu",
    batch_frames: int = BATCH_FRAMES,
    tell: Callable[[str], None] = print,
) -> Report:
    """Read every value of all videos back, and compute a few of them again; what is wrong is in the report's failures.

    Args:
        records: the videos; the first, the middle and the last are computed again.
        store: as for :func:`vidcls.features.compute.compute_features`, and so are the others.
        make_encoder: builds the network.
        settings: how a video becomes its views.
        pool: where the work is done.
        flow_source: where stored flow lies.
        device: that the features were computed on.
        batch_frames: as they were computed with.
        tell: takes a line of text for the user.
    """
    last = len(records) - 1
    again = frozenset(records[last * k // (NUM_RECOMPUTED - 1)].name for k in range(NUM_RECOMPUTED)) if records else ()
    job = VideoEncoder(store, make_encoder, settings, flow_source, device, batch_frames)
    try:
        work = over_videos(partial(verify_video, job, frozenset(again)), records, pool, what="verify", tell=tell)
    finally:
        forget_encoders()
    return Report(num_done=len(work.results), failures=sorted(work.failures))


def verify_video(job: VideoEncoder, again: frozenset[str], record: VideoRecord) -> int:
    """Read the features of a video, and compute them again where its name is among those; returns their bytes.

    Raises:
        FeatureError: anything is wrong with them.
        DecodeError: the video cannot be read.
    """
    with job.store.open_file(record) as file:
        file.check_content()
        kept = file.tensors()
        if record.name in again:
            for level, tokens in job.tokens(record).items():
                if not torch.equal(tokens.to(kept[level].dtype), kept[level]):
                    raise FeatureError(
                        f"{file.path}: level {level} differs from what is computed now on the {job.device}: delete it, "
                        "or verify on the device that it was computed on"
                    )
        return sum(tensor.nbytes for tensor in kept.values())
