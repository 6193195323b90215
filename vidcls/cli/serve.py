"""``vidcls serve``: a trained model -> a server that answers uploads with scores, and a page where asked for."""

from __future__ import annotations

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidcls.cli.argument_parser import OneLineParser, positive_count, positive_mebibytes, positive_seconds
from vidcls.cli.named_model import EXPORTED, OR_EXPORTED_HELP, named_checkpoint
from vidcls.console import say
from vidcls.errors import CheckpointError, ConfigurationError, VidclsError
from vidcls.serve.hosts import is_loopback
from vidcls.serve.limits import MEBIBYTE, Limits

if TYPE_CHECKING:
    from vidcls.serve.examples import Example
    from vidcls.serve.page import Page

DESCRIPTION = """Answer videos over HTTP with the scores of a trained model, until Ctrl+C or SIGTERM.

  vidcls serve best
  vidcls serve runs/two_stream --page                              with a page for people
  vidcls serve model.onnx --host 0.0.0.0 --port 80                 for others: with a token in VIDCLS_TOKEN
  curl -F file=@clip.mp4 http://127.0.0.1:8000/predict

POST /predict answers {"label": ..., "scores": {class: probability}, ...}, POST /timeline the same for windows; GET
/health, /info and /docs say the rest. What is refused is answered with {"error": LINE, "kind": WORD} and a status: 4xx
where the request or its video is at fault, 503 where the server is busy."""
TOKEN = "VIDCLS_TOKEN"
LEAST_TOKEN = 16

Run = Callable[..., object]
"""Answers with an application at a socket until it is ended; see :func:`vidcls.serve.server.run`."""


def main(argv: list[str], *, run: Run | None = None) -> int:
    """Serve; returns the exit status.

    Args:
        argv: the words behind the command.
        run: what answers, until it ends; by default until a signal.

    Raises:
        VidclsError: bad options, a bad model, an address that cannot be listened at, or the extra is missing.
    """
    options = _parsed(argv)
    from vidcls.serve import server

    token = _token(options)
    checkpoint = _model_file(options.model)
    server.check_installed()
    listener = server.listening(options.host, options.port)  # before the model is read, which takes seconds
    from vidcls.predict.ensemble_predictor import EnsemblePredictor
    from vidcls.predict.open_model import open_model
    from vidcls.serve.app import Access, create_app
    from vidcls.serve.service import Service
    from vidcls.serve.temporary import UploadFolder

    limits = limits_of(options)
    model = open_model(checkpoint, device=options.device, unknown=options.unknown)
    if isinstance(model, EnsemblePredictor):
        model.refuse("vidcls serve")
    access = Access(token, is_loopback(options.host), options.allow_private_addresses, tuple(options.host_name))
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    with UploadFolder() as folder, ExitStack() as stack:
        service = Service(model, limits, num_workers=options.num_workers)
        stack.callback(service.close)
        page = _page(checkpoint, options.device) if options.page else None
        if page is not None:
            stack.callback(page.close)
        app = create_app(service, folder, access, page)
        place = f"{server.address_of(listener)}/{'' if page is not None else 'predict'}"

        def started() -> None:
            say(f"serving {checkpoint} at {place}; Ctrl+C ends it")

        (run or server.run)(app, listener, grace_seconds=limits.timeout_seconds, started=started)
    say("stopped", file=sys.stderr)
    return 0


def limits_of(options: Namespace) -> Limits:
    """The limits that the options name."""
    return Limits(
        max_bytes=round(options.max_mib * MEBIBYTE),
        max_duration_seconds=options.max_duration_seconds,
        max_pixels=options.max_pixels,
        max_memory_bytes=round(options.max_memory_mib * MEBIBYTE),
        decode_seconds=options.decode_seconds,
        timeout_seconds=options.timeout_seconds,
        max_queue=options.max_queue,
    )


def _parsed(argv: list[str]) -> Namespace:
    usual = Limits()
    parser = OneLineParser("serve", DESCRIPTION)
    add = parser.add_argument
    add("model", metavar="MODEL", help=OR_EXPORTED_HELP)
    add("--host", default="127.0.0.1", help="where to listen (default 127.0.0.1: this machine alone)")
    add("--port", type=_port, default=8000, help="where to listen; 0 takes any that is free (default 8000)")
    add(
        "--host_name",
        action="append",
        default=[],
        metavar="NAME",
        help="under which a proxy before the server is reached, such as labels.example.org; may be given several times",
    )
    add("--page", action="store_true", help="a page for people at / as well: upload, webcam, examples, heat maps")
    add("--token", metavar="T", help=f"which requests must have (Authorization: Bearer T); better in {TOKEN}")
    add("--without_token", action="store_true", help="let everybody ask who reaches a --host of other machines")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs (default auto)")
    add("--unknown", action="store_true", help="answer unknown where the largest probability is below what was chosen")
    add("--num_workers", type=positive_count, metavar="N", help="processes that read videos (default: one a core, 4)")
    add(
        "--max_mib",
        type=positive_mebibytes,
        default=usual.max_bytes / MEBIBYTE,
        metavar="MIB",
        help=f"most MiB of a file (default {usual.max_bytes // MEBIBYTE})",
    )
    add(
        "--max_duration_seconds",
        type=positive_seconds,
        default=usual.max_duration_seconds,
        metavar="S",
        help=f"longest video (default {usual.max_duration_seconds:g})",
    )
    add(
        "--max_pixels",
        type=positive_count,
        default=usual.max_pixels,
        metavar="N",
        help=f"largest frame, width x height (default {usual.max_pixels}: 4096x2304)",
    )
    add(
        "--max_memory_mib",
        type=positive_seconds,
        default=usual.max_memory_bytes / MEBIBYTE,
        metavar="MIB",
        help=f"most MiB of memory for reading one video, on Linux (default {usual.max_memory_bytes // MEBIBYTE})",
    )
    add(
        "--decode_seconds",
        type=positive_seconds,
        default=usual.decode_seconds,
        metavar="S",
        help=f"to read one video, then its process is ended (default {usual.decode_seconds:g})",
    )
    add(
        "--timeout_seconds",
        type=positive_seconds,
        default=usual.timeout_seconds,
        metavar="S",
        help=f"from a request to its answer (default {usual.timeout_seconds:g})",
    )
    add(
        "--max_queue",
        type=positive_count,
        default=usual.max_queue,
        metavar="N",
        help=f"requests in work at a time; more get 503 (default {usual.max_queue})",
    )
    add(
        "--allow_private_addresses",
        action="store_true",
        help='with --allow-remote: also addresses of private networks, in {"url": ...}',
    )
    return parser.parse_args(argv)


def _model_file(wanted: str) -> Path:
    """The checkpoint or the exported file that is meant.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(wanted).expanduser()
    if path.suffix.lower() not in EXPORTED:
        return named_checkpoint(wanted)
    if not path.is_file():
        raise CheckpointError(f"{wanted}: no such file; write it with vidcls export RUN {wanted}")
    return path


def _port(text: str) -> int:
    import argparse

    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, an integer from 0 to 65535")
    return int(text)


def _token(options: Namespace) -> str | None:
    """The token; ConfigurationError where others reach the server and there is none.

    The variable is removed, so that the processes of the server do not inherit it.
    """
    token = os.environ.pop(TOKEN, "") or None
    if options.token is not None:
        token = options.token
    if token is not None and (
        len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token
    ):
        raise ConfigurationError(
            f"the token has {len(token)} characters; it must have {LEAST_TOKEN} or more, of printable ASCII without "
            "spaces (openssl rand -hex 16)"
        )
    if token is None and not is_loopback(options.host) and not options.without_token:
        raise ConfigurationError(
            f"--host {options.host}: others may reach this server: set the environment variable {TOKEN} to a token "
            "(openssl rand -hex 16), or pass --without_token"
        )
    return token


def _page(checkpoint: Path, device: Literal["auto", "cpu", "cuda"]) -> Page:
    """The page, with what the run of the checkpoint has for it."""
    from vidcls.runs.folder import REPORT_FILE
    from vidcls.runs.trained_model import run_of
    from vidcls.serve.examples import examples_of
    from vidcls.serve.page import Page

    if checkpoint.suffix.lower() in EXPORTED:
        return Page(checkpoint.name)
    run = run_of(checkpoint)
    examples: list[Example] = []
    if run is not None:
        try:
            examples = examples_of(run)
        except VidclsError as error:
            say(f"vidcls: warning: {error}: the page has no examples", file=sys.stderr)
    name = checkpoint.name if run is None else f"{run.parent.name}/{run.name}"
    report = None if run is None else run / REPORT_FILE
    return Page(name, checkpoint=checkpoint, device=device, examples=examples, report=report)
