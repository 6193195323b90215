"""``vidcls data prepare``: a data set -> a small copy of it that loads many times faster."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.data_source import SOURCE, SOURCE_HELP, check_source, data_of
from vidcls.cli.flow_show import METHODS
from vidcls.cli.pool_options import add_pool_options, check_engine, chosen_pool, chosen_shard
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.remote import place_of
from vidcls.shard import Shard

if TYPE_CHECKING:
    from vidcls.copies.preparation import Preparation
    from vidcls.types import VideoRecord

DESCRIPTION = """A copy of a data set for training: smaller frames, each a JPEG picture of its own, so that a clip is
loaded in a tenth of the time. It is a data set like any other, and its files are Motion JPEG that every player shows.

  vidcls data prepare my_videos small
  vidcls data prepare ucf101.yaml small --short_side 256 --with_flow dis
  vidcls data prepare my_videos small --shard 2/3    at the same time as 1/3 and 3/3, here or on other machines
  vidcls fit --config two_stream --data video_csv --data.dataset.path small/clips.csv --data.flow small/flow

The same command again goes on where it stopped. Exit status: 0 all done, 1 some videos failed (failures.csv), 2 bad
usage."""


def main(argv: list[str]) -> int:
    """Write the copy; returns the exit status.

    Raises:
        VidclsError: bad options, no such data set, a folder with something else in it, or a full disk.
    """
    options, others = _parsed(argv)
    import torch

    from vidcls.copies.preparation import prepare, spreads_groups
    from vidcls.copies.prepared_folder import CLIPS, FAILURES, PrepareSettings
    from vidcls.datasets import VideoCsv
    from vidcls.datasets.record_facts import labels_of
    from vidcls.flow.estimators import estimate_by
    from vidcls.flow.precompute import FAILURES_NAME as FLOW_FAILURES
    from vidcls.flow.precompute import precompute
    from vidcls.flow.settings import FlowSettings

    try:
        settings = PrepareSettings(options.short_side, options.quality)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    root: Path = options.output
    shard, pool = chosen_shard(options), chosen_pool(options)
    if options.with_flow is not None:  # says now what no video could change
        estimate_by(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), FlowSettings(options.with_flow))
    source = data_of(options.source, None, others).records
    done = prepare(source, root, settings, pool=pool, shard=shard)
    if shard.is_whole and not done.videos:
        raise ConfigurationError(f"{root}: no video could be prepared: {root / FAILURES} says why")
    print(_summary(done, root, shard))
    status = 1 if done.failures else 0
    if done.failures:
        say(f"{len(done.failures)} videos failed and are not in the copy: {root / FAILURES}")
    words = f"--data video_csv --data.dataset.path {shlex.quote(str(root / CLIPS))}"
    is_spread = spreads_groups(source)
    if is_spread:
        words += " --data.dataset.official_split true"
    if labels_of(source) == "several":
        words += " --task multi_label"
    copied: Sequence[VideoRecord] = done.copies
    if shard.is_whole:
        copied = VideoCsv(root / CLIPS, official_split=is_spread, labels=labels_of(source)).records
        left = Counter(record.split for record in copied)
        lost = {record.split for record in source} - left.keys()
        if lost:
            raise ConfigurationError(f"{root}: no video of the split {', '.join(sorted(lost))} is in the copy")
    if options.with_flow is not None:
        flow_settings = FlowSettings(options.with_flow, short_side_px=options.short_side)
        flow = precompute(copied, root / "flow", flow_settings, pool=pool, shard=shard)
        for line in flow.saturation_lines(flow_settings.bound_px):
            print(line)
        if flow.failures:
            status = 1
            say(f"flow of {len(flow.failures)} videos failed: {root / 'flow' / FLOW_FAILURES}")
        words += f" --data.flow {shlex.quote(str(root / 'flow'))}"
    say(f"{'' if shard.is_whole else 'when all shards are done, '}train on it with: {words}")
    return status


def _summary(done: Preparation, root: Path, shard: Shard) -> str:
    from vidcls.flow.disk_space import megabytes

    where = str(root) if shard.is_whole else f"{root}, shard {shard}"
    if not done.videos:
        return f"{where}: no video"
    before, after = (sum(sizes) for sizes in zip(*((v.source_bytes, v.num_bytes) for v in done.videos), strict=True))
    decibels = [video.psnr_db for video in done.videos]
    return (
        f"{where}: {len(done.videos)} videos ({done.num_kept} were there), {sum(v.num_frames for v in done.videos)} "
        f"frames; {megabytes(before)} before, {megabytes(after)} after; PSNR {sum(decibels) / len(decibels):.1f} dB "
        f"on average, {min(decibels):.1f} dB at least"
    )


def _parsed(argv: list[str]) -> tuple[Namespace, list[str]]:
    parser = OneLineParser("data prepare", DESCRIPTION)
    add = parser.add_argument
    add("source", metavar=SOURCE, help=SOURCE_HELP)
    add(
        "output", metavar="OUT", type=place_of, help="the folder of the copy, or its address, such as s3://bucket/small"
    )
    add("--short_side", type=positive_count, default=128, metavar="PX", help="length of the shorter side (default 128)")
    add("--quality", type=positive_count, default=3, help="of the JPEG pictures, 1 (best) to 31 (default 3)")
    add("--with_flow", choices=METHODS, help="compute optical flow beside it")
    add_pool_options(parser)
    options, others = parser.parse_known_args(argv)
    check_engine(options)
    check_source(options.source, None, others)
    return options, others
