"""``vidcls report``: a tested run -> one page with all that is known of it."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.named_model import RUN_HELP
from vidcls.console import say
from vidcls.errors import ConfigurationError, EnsembleFileError, VidclsError
from vidcls.runs.folder import CONFIG_FILE, REPORT_FILE
from vidcls.runs.trained_model import run_named

if TYPE_CHECKING:
    from vidcls.runs.run import RunFolder
    from vidcls.video import VideoSource

DESCRIPTION = """One HTML page about a tested run, which needs no network and no other file: accuracies with intervals,
classes, calibration, streams and fusion, the most confident errors and the least confident correct predictions with
heat maps, curves, speed, settings. The numbers behind its figures are in a folder beside it.

  vidcls report best
  vidcls report runs/two_stream --output page.html --num_shown 24"""


def main(argv: list[str]) -> int:
    """Write the page; returns the exit status.

    Raises:
        VidclsError: bad options, a folder that is not a tested run, or a place that cannot be written to.
    """
    parser = OneLineParser("report", DESCRIPTION)
    add = parser.add_argument
    add("run", metavar="RUN", help=RUN_HELP)
    add("--output", type=Path, metavar="FILE", help="the .html file (default: report.html in the run)")
    add("--num_shown", type=positive_count, default=12, metavar="N", help="mistakes and hits to show (default 12)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs (default auto)")
    options = parser.parse_args(argv)
    folder = run_named(options.run)
    output: Path = options.output or folder / REPORT_FILE
    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"--output {output}: suffix is {output.suffix!r}; allowed are .html and .htm")
    from vidcls.folder_lock import FolderLock
    from vidcls.outputs import check_place
    from vidcls.runs.run import read_run

    check_place(output, [], option="--output")
    run = read_run(folder)
    from vidcls.report.page import tables_beside

    with FolderLock(tables_beside(output)):
        _write(run, output, options)
    return 0


def _write(run: RunFolder, output: Path, options: Namespace) -> None:
    from tqdm import tqdm

    from vidcls.explain import Explainer
    from vidcls.report import write_report

    explainer: Explainer | None = None
    reason = "the checkpoint that was tested is gone"
    if run.checkpoint is not None and not run.is_ensemble:
        try:
            explainer = Explainer(run.checkpoint, device=options.device)
        except EnsembleFileError:
            reason = f"{run.folder} is an ensemble, whose networks the reports of its members look into"
        except VidclsError as error:  # such as flow that another tool made: new videos cannot be looked at
            reason = str(error)
    if run.is_ensemble:
        say("note: an ensemble has no heat maps: the pages of its members have them")
    elif explainer is None:
        say(f"vidcls: warning: {reason}: the page has no heat maps", file=sys.stderr)
    paths = _paths(run.config_text, run.folder / CONFIG_FILE)
    files = write_report(
        run,
        output,
        explainer=explainer,
        path_of=paths.get,
        progress=lambda videos: tqdm(videos, desc="looking", unit="video", disable=None),
        num_shown=options.num_shown,
    )
    say(f"wrote {output} and {files[1].parent} ({output.stat().st_size / 1e6:.1f} MB)")


def _paths(config_text: str, source: Path) -> dict[str, VideoSource]:
    """The files of the data set's test videos by name; none where the configuration does not say."""
    from vidcls.errors import DatasetError
    from vidcls.loading.from_config import videos_of
    from vidcls.settings_file import section, settings_in

    if not config_text:
        return {}
    try:
        data = section(settings_in(config_text, source), "data", source)
        return {record.name: record.source for record in videos_of(data)}
    except (ConfigurationError, DatasetError) as error:
        say(f"vidcls: warning: {error}: the page has no heat maps", file=sys.stderr)
        return {}
