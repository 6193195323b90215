"""``vidcls flow``, once its words are in order: parse, compute or verify, report."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from vidcls.cli.argument_parser import spelled
from vidcls.cli.chosen_dataset import with_one_dataset
from vidcls.cli.flow import DESCRIPTION
from vidcls.cli.pool_options import add_pool_options, chosen_pool, chosen_shard
from vidcls.cli.words import CONFIG, Words
from vidcls.console import say
from vidcls.datasets import VideoDataset
from vidcls.datasets.places import is_folder, joined, listed_below
from vidcls.datasets.record_facts import whole_videos
from vidcls.errors import ConfigurationError, VidclsError
from vidcls.flow.manifest import MANIFEST_NAME
from vidcls.flow.precompute import FAILURES_NAME, precompute, verify
from vidcls.flow.report import Report
from vidcls.flow.settings import COMPUTED_METHODS, FlowSettings
from vidcls.flow.store import FlowStore
from vidcls.remote import place_of
from vidcls.remote.whole_files import is_file
from vidcls.trusted_settings import made_from
from vidcls.types import VideoRecord
from vidcls.video import source_at
from vidcls.video.reader import BACKENDS

DATASET_KEY = "data.dataset"
NUM_FAILURES_SHOWN = 50


def main(words: Sequence[str]) -> int:
    """Parse, compute or verify, report; returns the exit status.

    Raises:
        VidclsError: bad usage, or a store of other settings; one line.
    """
    try:
        options, settings, records = _parsed(words)
        shard, pool = chosen_shard(options), chosen_pool(options)
        if not shard.is_whole:
            print(f"shard {shard}: {len(shard.of(records))} of {len(records)} videos")
        records = shard.of(records)
        if options.verify:
            FlowStore(options.output).require(settings)
            report = verify(records, options.output, pool=pool, device=options.device)
        else:
            report = precompute(records, options.output, settings, pool=pool, device=options.device, shard=shard)
    except KeyboardInterrupt:
        print("stopped: what is finished is kept, and the same command goes on from here", file=sys.stderr)
        raise
    _tell(report, settings.bound_px, verified=options.verify)
    return 1 if report.failures else 0


def _parsed(words: Sequence[str]) -> tuple[Namespace, FlowSettings, Sequence[VideoRecord]]:
    try:
        given = Words(words)
        given.require_values(*CONFIG, "--data", "--folder", "--output")
        given = with_one_dataset(given)
        _check_sections(given)
        section, parser = given.section("data"), parser_of_flow()
        others = spelled(given.without(*CONFIG, "--data").arguments, ("--short_side", "--num_workers"))
        options = parser.parse_args(_dataset_words(section) + others)
        chosen_shard(options)  # says now what no video could change
        return options, _settings(options, section), _records(parser, options)
    except ArgumentError as error:
        from vidcls.cli.messages import own_message, parser_message  # knows the trainer, which takes seconds to import

        raise ConfigurationError(own_message(error) or parser_message(error)) from error
    except ValueError as error:
        raise ConfigurationError(_cause(error)) from error


def parser_of_flow() -> ArgumentParser:
    """The options of ``vidcls flow``."""
    parser = ArgumentParser(
        prog="vidcls flow",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", help="a configuration of vidcls fit: its data.dataset and data.flow_settings are used")
    parser.add_subclass_arguments(VideoDataset, DATASET_KEY, required=False, help="the data set and its arguments")
    add("--folder", help="in place of a data set: every video below this folder")
    add("--output", type=place_of, required=True, help="folder of the store, or its address, such as s3://bucket/flow")
    add(
        "--method",
        choices=COMPUTED_METHODS,
        help="how flow is computed; default, as of the next four: what the configuration says, else what the store "
        "at --output has, else dis",
    )
    add("--bound", type=float, help="largest displacement that is kept, in pixels per frame (else 20)")
    add("--short_side", type=int, help="length of the frames' shorter side in pixels (else that of the video)")
    add("--weights", help="for raft: raft_small, raft_large or a file of weights (else raft_small)")
    add(
        "--decoder",
        choices=BACKENDS,
        help="what reads the videos (else decord, with the others behind it)",
    )
    add_pool_options(parser)
    add("--device", choices=("cpu", "cuda"), default="cpu", help="where tvl1 and raft run (differs by rounding)")
    add("--verify", action="store_true", help="compute nothing: read the store back and compare it with the videos")
    return parser


def _check_sections(words: Words) -> None:
    for word in words:
        if word.option in CONFIG and not isinstance(word.content.get("data") or {}, dict):
            raise ConfigurationError(
                f"{word.value}: the section data is not a mapping; expected data: with dataset: in it"
            )


def _dataset_words(section: dict[str, object]) -> list[str]:
    """The data set of a configuration as if it stood on the command line, where later words override it."""
    if not (dataset := section.get("dataset")):
        return []
    return [f"--{DATASET_KEY}={dataset if isinstance(dataset, str) else json.dumps(dataset)}"]


def _settings(options: Namespace, section: Mapping[str, object]) -> FlowSettings:
    """What the command line says, over the configuration, over the store at --output, over the defaults."""
    configured = section.get("flow_settings")
    if configured is not None and not isinstance(configured, dict):
        raise ConfigurationError(f"data.flow_settings is {configured!r}: expected a mapping such as method: dis")
    if configured:
        settings = FlowSettings.from_dict(configured)
    elif is_file(options.output / MANIFEST_NAME):
        settings = FlowStore(options.output).settings
    else:
        settings = FlowSettings()
    decoder = options.decoder or section.get("decoder")  # a configuration trains on flow by its own decoder
    if decoder is not None and (options.decoder or settings.decoder is None):
        settings = FlowSettings.from_dict({**settings.to_dict(), "decoder": decoder})
    if options.method is not None:
        settings = replace(settings, method=options.method)
    if options.bound is not None:
        settings = replace(settings, bound_px=options.bound)
    if options.short_side is not None:
        settings = replace(settings, short_side_px=options.short_side)
    if options.weights is not None:
        settings = replace(settings, weights=options.weights)
    return settings


def _records(parser: ArgumentParser, options: Namespace) -> Sequence[VideoRecord]:
    if (options.folder is None) == (options.data.dataset is None):
        raise ConfigurationError(f"pass either --{DATASET_KEY} (or a configuration with one) or --folder, and not both")
    if options.folder is None:
        dataset = made_from(parser, options).data.dataset
        dataset.prepare()
        return whole_videos(dataset.records)
    folder = place_of(options.folder)
    if not is_folder(folder):
        raise ConfigurationError(f"--folder {options.folder}: no such folder; check the path")
    names = listed_below(folder).videos
    if not names:
        raise ConfigurationError(f"--folder {options.folder}: no video below it; check the path and the suffixes")
    return [VideoRecord(source_at(joined(folder, name)), label="", split="train", name=name) for name in names]


def _tell(report: Report, bound_px: float, *, verified: bool) -> None:
    """The result in one line, what the bound cut, and then every failure."""
    words = [f"{report.num_done} videos {'verified' if verified else 'computed'} ({report.num_fields} fields)"]
    if not verified:
        words.append(f"{report.num_kept} kept")
    if report.num_fallbacks:
        words.append(f"{report.num_fallbacks} read by another decoder than the first")
    words.append(f"{len(report.failures)} failed")
    print(", ".join(words))
    for line in report.saturation_lines(bound_px):
        print(line)
    shown = report.failures if verified else report.failures[:NUM_FAILURES_SHOWN]
    for name, reason in shown:
        say(f"failed: {name}: {reason}", file=sys.stderr)
    if len(shown) < len(report.failures):
        print(f"and {len(report.failures) - len(shown)} more: see {FAILURES_NAME} in the store", file=sys.stderr)


def _cause(error: BaseException) -> str:
    """What a user can do something about, in one line: jsonargparse wraps the errors of the data set that it makes."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, VidclsError):
        inner = inner.__cause__ or inner.__context__
    return " ".join(str(inner or error).split())
