"""The command line: one word chooses what runs, and what goes wrong comes back as one line and a status."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

from vidcls import __version__
from vidcls.console import say, tolerate_any_text, visible
from vidcls.errors import ConfigurationError, MissingExtraError, VidclsError
from vidcls.files import FULL_DISK, cache_folder
from vidcls.launched import is_first_process
from vidcls.spelling import closest, did_you_mean
from vidcls.stop_signals import end_quietly, raise_on_signals

HELP = f"""vidcls {__version__}: train, test and use video classifiers

usage: vidcls COMMAND [options]       vidcls COMMAND --help shows a command's options
       python -m vidcls COMMAND ...   the same, where vidcls is not on the PATH

  demo       the whole way on built-in data: flow, training, test, prediction
  flow       compute optical flow once and store it; or look at it:  vidcls flow show VIDEO
  data       check a data set, look at it, or make a copy that loads fast:  vidcls data check|browse|prepare|export ...
  probe      the best answer from a few hundred clips, in minutes:  vidcls probe my_videos
  fit        train:                   vidcls fit --config two_stream
  validate   score the validation split
  test       score the test split:    vidcls test --config two_stream --ckpt_path best
  predict    label new videos:        vidcls predict best VIDEO|FOLDER|GLOB ...
  serve      answer videos over HTTP, with a page for people:  vidcls serve best --page
  explain    where and when a model looks:  vidcls explain best VIDEO --output heat.mp4
  features   what each layer knows:   vidcls features best
  report     one page about a tested run:  vidcls report best
  pack       a trained model for a colleague:  vidcls pack best model.zip
  push       a trained model for the Hugging Face Hub:  vidcls push best USER/NAME
  pull       a model from there:  vidcls pull USER/NAME
  export     one file for other programs:  vidcls export best model.onnx
  ensemble   several runs that answer together:  vidcls ensemble RUN RUN --run runs/both
  sweep      settings tried on validation, the best tested once:  vidcls sweep CONFIG --trials N --run DIR
  summary    layers and cost of a model:  vidcls summary two_stream
  compare    train several models alike and set them side by side
  models     the models, with configurations, sizes and papers
  backbones  the networks that they are built on:  vidcls backbones resnet
  doctor     what is installed, what is missing and how to get it

  --debug    behind any command: the whole traceback where something goes wrong
  --verbose  behind any command: what the libraries note too, such as seeds, devices and restored checkpoints
  --allow-class PACKAGE
             behind any command: configurations and checkpoints may name classes of this package of yours, which runs
             its code; classes that you type yourself, as in --model mypackage.Net, need no such option
  --allow-remote PROTOCOL ...
             behind any command: addresses of these protocols (s3, gs, az, hf, https, http) may be read, such as
             s3://bucket/clips.csv; without it none is, whoever names it
  --version  the version"""

ONLY_RUNTIME = "this is vidcls-runtime: install vidcls to train; it uses .onnx files of vidcls export alone"
INTERRUPTED = 130
BROKEN_PIPE = 141
BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status: 0 done, 1 partly failed, 2 bad input."""
    tolerate_any_text()
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug, verbose = (flag in arguments for flag in ("--debug", "--verbose"))
    arguments = [word for word in arguments if word not in ("--debug", "--verbose")]
    _show_notes(verbose=verbose)
    try:
        return _run(arguments)
    except VidclsError as error:
        if debug:
            raise
        return _fail(_last_line(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as left:  # the parser after --help, Lightning after Ctrl+C
        if isinstance(left.__context__, KeyboardInterrupt):
            return INTERRUPTED
        return left.code if isinstance(left.code, int) else 0
    except BrokenPipeError:  # the reader of our output has seen enough, as in `vidcls predict ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:  # a full disk, a folder that may not be written to
        if debug or error.strerror is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror}{_hint(error)}")


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP, flush=True)
        return 0 if arguments else BAD_INPUT
    if arguments[0] == "--version":
        print(__version__, flush=True)
        return 0
    command, rest = arguments[0], arguments[1:]
    if command.startswith("-"):
        return _fail(f"{command}: a command comes first, and its options behind it: vidcls COMMAND {command} ...")
    if command not in COMMANDS or " " in command:
        names = [name for name in COMMANDS if " " not in name]
        meant = closest(command, [*names, *MEANT])
        meant = MEANT.get(meant or "", meant)
        hint = f"did you mean {meant}? " if meant else ""
        return _fail(f"unknown command {arguments[0]!r}: {hint}use one of {', '.join(names)}")
    from vidcls.remote.permission import permission_ends

    with permission_ends():
        try:
            return _run_command(command, rest)
        except ModuleNotFoundError as error:
            if find_spec("vidcls.training") is not None:
                raise
            raise MissingExtraError(f"{command}: {ONLY_RUNTIME}") from error


def _run_command(command: str, rest: list[str]) -> int:
    from vidcls.cli.remote_option import take_remote_option

    rest = take_remote_option([command, *rest])[1:]
    if not _names_no_class(command, rest) and find_spec("jsonargparse") is not None:  # which vidcls-runtime lacks
        from vidcls.cli.own_classes import trust

        rest = trust(rest)
    if rest and (longer := f"{command} {rest[0]}") in COMMANDS:
        command, rest = longer, rest[1:]
    found = COMMANDS[command]
    run: Callable[[list[str]], int] = resolve_name(found) if isinstance(found, str) else found
    return run(rest)


def _names_no_class(command: str, words: list[str]) -> bool:
    """Whether nothing that a command reads can name a class, so that the parser that imports them is not needed."""
    if command != "predict" or {"-h", "--help"}.intersection(words):
        return False
    from vidcls.cli.predict import parsed

    try:
        options = parsed(words)
    except ConfigurationError:  # an option of all commands, or a mistake, which is told later
        return False
    from vidcls.packed_file import is_exported_ensemble

    return Path(options.checkpoint).suffix.lower() == ".onnx" or is_exported_ensemble(Path(options.checkpoint))


def entry() -> None:
    """What the installed ``vidcls`` command calls."""
    raise_on_signals()
    status = main()
    end_quietly()
    sys.exit(status)


HELP_OF_DATA = """usage: vidcls data COMMAND ...

  check     open every file, and say what is wrong:  vidcls data check FOLDER|CSV|CONFIG|RUN
  browse    one page about a data set:               vidcls data browse FOLDER|CSV|CONFIG|RUN
  prepare   a small copy that loads fast:            vidcls data prepare FOLDER|CSV|CONFIG|RUN OUT
  export    labels for CVAT or FiftyOne:             vidcls data export FOLDER|CSV|CONFIG|RUN OUT --format cvat

vidcls data COMMAND --help shows a command's options"""

# What runs a command; imported when it is asked for.
COMMANDS: dict[str, str | Callable[[list[str]], int]] = {
    "demo": "vidcls.demo.main_job:main",
    "flow": "vidcls.cli.flow:main",
    "flow show": "vidcls.cli.flow_show:main",
    "data": "vidcls.cli:data",
    "data check": "vidcls.cli.data_check:main",
    "data browse": "vidcls.cli.data_browse:main",
    "data prepare": "vidcls.cli.data_prepare:main",
    "data export": "vidcls.cli.data_export:main",
    "probe": "vidcls.cli.probe:main",
    "fit": "vidcls.cli.trainer_commands:fit",
    "validate": "vidcls.cli.trainer_commands:validate",
    "test": "vidcls.cli.trainer_commands:test",
    "predict": "vidcls.cli.predict:main",
    "serve": "vidcls.cli.serve:main",
    "explain": "vidcls.cli.explain:main",
    "features": "vidcls.cli.features:main",
    "report": "vidcls.cli.report:main",
    "pack": "vidcls.cli.pack:main",
    "push": "vidcls.cli.push:main",
    "pull": "vidcls.cli.pull:main",
    "export": "vidcls.cli.export:main",
    "ensemble": "vidcls.cli.ensemble:main",
    "sweep": "vidcls.cli.sweep:main",
    "summary": "vidcls.cli.summary:main",
    "compare": "vidcls.cli.compare:main",
    "models": "vidcls.cli.models:main",
    "backbones": "vidcls.cli.backbones:main",
    "doctor": "vidcls.cli.doctor:main",
}

MEANT = {"train": "fit", "eval": "test", "evaluate": "test", "val": "validate", "infer": "predict"}  # of other tools


def data(argv: list[str]) -> int:
    """``vidcls data`` without one of its commands: say which there are."""
    if argv[:1] in (["-h"], ["--help"]):
        print(HELP_OF_DATA)
        return 0
    names = [name.removeprefix("data ") for name in COMMANDS if name.startswith("data ")]
    given = f"unknown command {argv[0]!r}" if argv else "no command is given"
    hint = did_you_mean(argv[0], names) if argv else ""
    raise ConfigurationError(f"data: {given}: {hint}{' ' if hint else ''}use vidcls data {'|'.join(names)}")


def _show_notes(*, verbose: bool) -> None:
    """Let the first process show on stderr what the package notes, such as which weights were left out.

    The level of the package's own logger says everywhere how much is to be shown: DEBUG is ``--verbose``.
    """
    if is_first_process() and logging.lastResort is not None:
        logging.getLogger("vidcls").setLevel(logging.DEBUG if verbose else logging.INFO)
        logging.lastResort.setLevel(logging.DEBUG if verbose else logging.INFO)
        logging.lastResort.setFormatter(_VisibleFormatter())


class _VisibleFormatter(logging.Formatter):
    """Notes name files and classes."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.exc_info else visible(text)


def _hint(error: OSError) -> str:
    """What helps against a full disk, or a cache that cannot be written to."""
    if error.errno in FULL_DISK and error.filename is None:
        return (
            f": the system does not say on which disk; make room on that of the output, on {tempfile.gettempdir()} "
            "(TMPDIR) or in /dev/shm (--data.num_workers 0)"
        )
    if error.errno in FULL_DISK and Path(error.filename).is_relative_to(tempfile.gettempdir()):
        return ": make room, or set TMPDIR to a folder on another disk"
    if error.errno in FULL_DISK:
        return ": make room, or write to another disk"
    if error.filename is not None and cache_folder().parent in (Path(error.filename), *Path(error.filename).parents):
        return ": set XDG_CACHE_HOME to a folder that can be written to"
    return ""


def _last_line(error: VidclsError) -> str:
    """The message; where a loader worker raised it, torch puts that worker's traceback before it."""
    text = str(error).strip()
    if "Original Traceback" not in text:
        return " ".join(text.split())
    last = text.splitlines()[-1]
    return last.partition(": ")[2] or last


def _fail(message: str) -> int:
    say(f"vidcls: error: {message}", file=sys.stderr)
    return BAD_INPUT
