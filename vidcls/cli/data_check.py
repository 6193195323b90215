"""``vidcls data check``: a data set -> what is wrong with its files, labels, splits and flow, and a list without it."""

from __future__ import annotations

import shlex
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.check_options import add_check_options, checked_files, chosen_cache_folder
from vidcls.cli.data_source import SOURCE, SOURCE_HELP, check_source, data_of, export_of, is_bare
from vidcls.cli.pool_options import add_pool_options, check_engine, chosen_shard
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.files import write_text
from vidcls.shard import Shard
from vidcls.video_files import LIST_SUFFIXES

if TYPE_CHECKING:
    from vidcls.checks.finding import Finding
    from vidcls.checks.findings import CheckedData
    from vidcls.checks.fix_list import FixList
    from vidcls.datasets import VideoDataset
    from vidcls.remote.places import Place

DESCRIPTION = """Open every file of a data set in processes that may crash or hang, decode all of its frames, and say
what would spoil a training: files that cannot be read, are damaged, cut off, black, frozen or shorter than a clip;
copies, above all across splits; groups across splits; missing classes and labels written in two ways; missing or
outdated flow.

  vidcls data check my_videos
  vidcls data check clips.csv --fix_list sound.csv     and then   vidcls fit ... --data.dataset.path sound.csv
  vidcls data check two_stream --data.clip_len 8 --json check.json

What was found is kept, so that a second check opens only what has changed, and a training says at its start which of
its files are known to be bad. A folder without class folders is checked too, as files alone.

--fix_list leaves out what cannot be read; of copies it keeps one, that of the test before that of the validation before
that of the training; of copies with different labels it keeps none; it brings each group into one split. It says what
it left out and why, and never writes over a file.

Exit status: 0 sound, 1 problems were found, 2 bad input."""


def main(argv: list[str]) -> int:
    """Check, print and write; returns the exit status.

    Raises:
        VidclsError: bad options, no such data set, or a place that cannot be written to.
    """
    started = time.monotonic()
    options, others = _parsed(argv)
    from vidcls.checks.findings import findings
    from vidcls.checks.fix_list import fix_list, write_fix_list
    from vidcls.cli.check_report import as_plain, loading_lines, print_report
    from vidcls.cli.forecast import forecast_of
    from vidcls.loading.loading_speed import known_speed
    from vidcls.outputs import check_distinct, check_place

    for option, file in (("--json", options.json), ("--fix_list", options.fix_list)):
        if file is not None:
            check_place(file, [Path(options.source)], option=option)
    check_distinct({"--json": [options.json], "--fix_list": [options.fix_list]})
    if options.fix_list is not None and options.fix_list.exists():
        raise ConfigurationError(f"--fix_list {options.fix_list}: already exists: pass another name, or remove it")
    shard = _shard(options)
    data, dataset, refusals = _data(options, others)
    root, notes = dataset.root, dataset.notes if data.has_labels else ()
    if options.fix_list is not None and not data.has_labels:
        raise ConfigurationError(f"--fix_list: {options.source} has no classes, so that no list of labels can be made")
    folder = chosen_cache_folder(options)
    if not shard.is_whole:  # as files alone: classes and splits are not those of the data set
        mine = shard.of(list({record.source: record for record in data.records}.values()))
        say(f"shard {shard}: {len(mine)} of {len(data.records)} videos")
        data, refusals, notes = replace(data, records=mine, has_labels=False), [], ()
    files = checked_files(data.records, options, folder, decoder=data.settings.decoder)
    data = replace(data, known=files.by_source, refusals=refusals)
    found: list[Finding] = [*_notes_of_data(notes), *findings(data)]
    speed, forecast = None, None
    if data.sound and shard.is_whole:
        if data.has_labels:
            forecast = forecast_of(
                options.source,
                options.config,
                others,
                dataset=dataset,
                records=data.sound,
                file=None if folder is None else folder / "training.json",
            )
        speed_file = None if folder is None else folder / "speed.json"
        speed = forecast[0].speed if forecast else known_speed(data.sound, data.settings, data.flow_source, speed_file)
    seconds = time.monotonic() - started
    lines = forecast[1] if forecast else loading_lines(speed)
    print_report(data, found, lines, num_opened=files.num_opened, seconds=seconds, most_lines=options.max_lines)
    if options.json is not None:
        plain = as_plain(
            data,
            found,
            speed,
            forecast[0] if forecast else None,
            num_opened=files.num_opened,
            seconds=seconds,
        )
        write_text(options.json, plain)
        say(f"wrote {options.json}")
    if options.fix_list is not None:
        fixed = fix_list(data.records, data.known)
        write_fix_list(fixed, options.fix_list, root)
        _print_fix_list(fixed, options.fix_list, root, has_flow=data.flow_source is not None)
    if not shard.is_whole:
        say("when all shards are done, the same command without --shard reports on all videos, and opens none again")
    return 1 if any(finding.is_problem for finding in found) else 0


def _shard(options: Namespace) -> Shard:
    """The shard, which finds out about its files; what is said of the whole data set waits for the others."""
    shard = chosen_shard(options)
    if not shard.is_whole:
        for option, is_given in (("--json", options.json), ("--fix_list", options.fix_list)):
            if is_given is not None:
                raise ConfigurationError(
                    f"{option}: needs what all shards find: run them, then the same command without --shard, which "
                    "opens no file again"
                )
        if chosen_cache_folder(options) is None:
            raise ConfigurationError("--shard: with --cache none nothing is kept of what it finds: remove one of them")
    return shard


def _data(options: Namespace, others: list[str]) -> tuple[CheckedData, VideoDataset, list[str]]:
    """The videos, however much is wrong with them, their data set, and why a training would refuse it."""
    from vidcls.checks.findings import CheckedData
    from vidcls.clips import InputSettings
    from vidcls.datasets.base import UnsoundDatasetError
    from vidcls.datasets.group_pattern import takes_group_pattern
    from vidcls.datasets.places import joined, listed_below
    from vidcls.types import RGB, VideoRecord
    from vidcls.video import source_at

    refusals: list[str] = []
    try:
        module = data_of(options.source, options.config, others)
    except UnsoundDatasetError as error:
        refusals = [*error.faults]
        module = data_of(options.source, options.config, others, dataset=error.dataset)
    root = module.dataset.root
    if module.records:
        return (
            CheckedData(
                module.records,
                {},
                module.input_settings,
                module.flow_source,
                takes_group_pattern=takes_group_pattern(module.dataset),
            ),
            module.dataset,
            refusals,
        )
    names = listed_below(root).videos if _is_folder(options.source) else []
    if not names:
        raise ConfigurationError(refusals[0] if refusals else f"{options.source}: has no video")
    records = [VideoRecord(source_at(joined(root, name)), label="", split="train", name=name) for name in names]
    return CheckedData(records, {}, InputSettings(streams=(RGB,)), has_labels=False), module.dataset, []


def _is_folder(source: str) -> bool:
    """Whether a data set is named by the folder of its videos."""
    is_list = PurePath(source).suffix.lower() in LIST_SUFFIXES or export_of(Path(source)) is not None
    return is_bare(source) and not is_list


def _notes_of_data(notes: Sequence[str]) -> list[Finding]:
    """What a training says of the data set at its start."""
    from vidcls.checks.finding import Finding

    return [Finding("how it was read", False, "how the data set was read", tuple(notes))] if notes else []


def _print_fix_list(fixed: FixList, output: Path, root: Place, *, has_flow: bool) -> None:
    from vidcls.datasets.record_facts import labels_of

    print()
    say(f"wrote {output}: {len(fixed.kept)} videos, {len(fixed.left_out)} left out, {len(fixed.moved)} moved")
    for what, pairs in (("left out", fixed.left_out), ("moved", fixed.moved)):
        for name, reason in pairs:
            say(f"  {what}: {name}: {reason}")
    if fixed.is_recut:
        print("  it names no splits: groups were spread too widely, so the splits are cut again, by group, on loading")
    words = f"--data video_csv --data.dataset.path {shlex.quote(str(output))}"
    if has_flow and (not isinstance(root, Path) or output.parent.resolve() != root.resolve()):
        words += f" --data.dataset.root {shlex.quote(str(root))}"  # the names by which the flow is found
    if labels_of(fixed.kept) == "several":
        words += " --task multi_label"
    say(f"train on it with: {words}")


def _parsed(argv: list[str]) -> tuple[Namespace, list[str]]:
    parser = OneLineParser("data check", DESCRIPTION)
    add = parser.add_argument
    add("source", metavar=SOURCE, help=SOURCE_HELP)
    add("--config", help="for a folder or csv file: the configuration whose clips are meant (default: TwoStream's own)")
    add("--fix_list", type=Path, metavar="FILE", help="a new csv file of the usable videos, which is a data set itself")
    add("--json", type=Path, metavar="FILE", help="everything that was found, also of each file")
    add_check_options(parser)
    add_pool_options(
        parser,
        shard_help="open only the i-th of n shares of the files, i from 1 to n; when all shards are done, the command "
        "without it reports on all",
    )
    add("--max_lines", type=positive_count, default=10, metavar="N", help="lines shown of each problem (default 10)")
    options, others = parser.parse_known_args(argv)
    check_engine(options)
    check_source(options.source, options.config, others)
    return options, others
