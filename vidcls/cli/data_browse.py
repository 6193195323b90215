"""``vidcls data browse``: a data set -> one page about it, before anything is trained."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.check_options import add_check_options, checked_files, chosen_cache_folder
from vidcls.cli.data_source import DEFAULT_MODEL, SOURCE, SOURCE_HELP, check_source, data_module, is_bare
from vidcls.cli.pool_options import add_workers_option, check_engine
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.runs.folder import CONFIG_FILE

DESCRIPTION = """One HTML page about a data set before training, which needs no network and no other file: what should
be looked at first, videos by class and split, lengths, sizes, rates, groups across splits, thumbnails, and clips as the
network sees them.

  vidcls data browse my_videos
  vidcls data browse my_videos --config conv3d --output clips.html    clips as this network sees them
  vidcls data browse two_stream --data.clip_len 8

What should be looked at is what vidcls data check finds, in the same way and in the same cache: neither opens a file
again that the other has examined, unless the file has changed.

Beside the page lie a .csv file with a line for each video that was opened, and an .npz file with the clips."""
DEFAULT_OUTPUT = Path("data.html")


def main(argv: list[str]) -> int:
    """Write the page; returns the exit status.

    Raises:
        VidclsError: bad options, no such data set, or a place that cannot be written to.
    """
    options, others = _parsed(argv)
    output: Path = options.output
    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"--output {output}: suffix is {output.suffix!r}; allowed are .html and .htm")
    from tqdm import tqdm

    from vidcls.outputs import check_place
    from vidcls.report import write_data_page
    from vidcls.report.data_page import numbers_beside, opened_records

    for file in (output, *numbers_beside(output)):
        check_place(file, [Path(options.source)], option="--output")
    folder = chosen_cache_folder(options)
    data = data_module(options.source, options.config, others)
    opened = opened_records(data, options.max_opened)
    known = checked_files(opened, options, folder, decoder=data.input_settings.decoder).by_source
    files = write_data_page(
        data,
        output,
        title=Path(options.source).resolve().name if Path(options.source).exists() else options.source,
        seen_by=_seen_by(options),
        known=known,
        progress=lambda items, what, total: tqdm(items, desc=what, total=total, disable=None),
        most_read=options.max_opened,
        num_samples=options.num_samples,
    )
    say(f"wrote {', '.join(str(file) for file in files)} ({output.stat().st_size / 1e6:.1f} MB)")
    return 0


def _seen_by(options: Namespace) -> str:
    """Whose clips are shown, in words."""
    if options.config is not None:
        return f"the configuration {options.config}"
    path = Path(options.source)
    if (path / CONFIG_FILE).is_file():
        return f"the run {options.source}"
    if is_bare(options.source):
        return f"{DEFAULT_MODEL} with its own settings, as no configuration was named (--config NAME shows another)"
    return f"the configuration {options.source}"


def _parsed(argv: list[str]) -> tuple[Namespace, list[str]]:
    parser = OneLineParser("data browse", DESCRIPTION)
    add = parser.add_argument
    add("source", metavar=SOURCE, help=SOURCE_HELP)
    add("--config", help="for a folder or csv file: the configuration whose clips are shown (default: TwoStream's own)")
    add("--output", type=Path, default=DEFAULT_OUTPUT, metavar="FILE", help="the .html file (default data.html)")
    add(
        "--max_opened",
        type=positive_count,
        default=5000,
        metavar="N",
        help="of more videos so many are opened, spread evenly (default 5000)",
    )
    add("--num_samples", type=positive_count, default=4, metavar="N", help="videos whose clips are shown (default 4)")
    add_check_options(parser)
    add_workers_option(parser)
    options, others = parser.parse_known_args(argv)
    check_engine(options)
    check_source(options.source, options.config, others)
    return options, others
