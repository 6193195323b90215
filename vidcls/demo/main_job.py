"""``vidcls demo``: built-in data -> stored flow -> a trained two-stream network -> a test table -> a prediction."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

CEILINGS = """\
expected: spatial .25 on average (a frame shows the colour, the direction is a
guess), temporal .50 (flow shows the direction, the colour is a guess), both
together 1.00; a test of 512 videos deviates from these by about .02"""
ROWS = """\
the answers of both streams together:
  product   their probabilities are multiplied
  mean      their probabilities are averaged; loses to the product, since one
            stream that is wrong and sure wins, where multiplying needs both
  weighted  the same, where motion counts 1.5 times
  svm       a linear classifier on both, fitted to the training videos"""
UNSURE = """\
a right answer may have a low score: the product of two streams that are not
sure, each of which cannot know all, after few epochs"""
OWN = "next, a look at this run:"
NEXT = """\
then, with videos of your own, in one folder per class:
  vidcls data check my_videos
  vidcls fit --config two_stream \\
      --data video_folder --data.dataset.root my_videos
  vidcls test --ckpt_path best"""


def main(arguments: list[str]) -> int:
    """Run the demo; returns the exit status of the first step that fails, 0 where none does."""
    from vidcls.cli.argument_parser import OneLineParser

    parser = OneLineParser(
        "demo", "Write the built-in data set, compute its flow, train a two-stream network, test it, label a video."
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (default: 0)")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    parser.add_argument(
        "--page", action="store_true", help="in the end, serve a page with the model: vidcls serve --page"
    )
    options = parser.parse_args(arguments)
    if options.page:
        from vidcls.serve.server import check_installed

        check_installed()
    return run(seed=options.seed, root=options.output, page=options.page)


def run(*, seed: int = 0, root: Path = Path("runs"), page: bool = False) -> int:
    """The steps of the demo, each printed as the command that it stands for; its run lies below ``root/demo``.

    Args:
        seed: of the training.
        root: the folder of all runs.
        page: in the end, a page with the model is served, until Ctrl+C.
    """
    from vidcls.cli import main as vidcls
    from vidcls.cli.library_notes import is_verbose
    from vidcls.datasets import MovingShapes
    from vidcls.flow import FlowSettings
    from vidcls.flow.precompute import precompute
    from vidcls.jobs import local_pool
    from vidcls.runs.folder import BEST, checkpoint_in, new_run

    started = time.monotonic()
    print("1. the built-in data set and its optical flow (kept in the cache folder)")
    shapes = MovingShapes()
    shapes.prepare()
    flow = shapes.root.parent / f"{shapes.root.name}_flow"
    precompute(shapes.records, flow, FlowSettings(), pool=local_pool(2))

    folder = new_run(root, "demo")
    checkpoint = checkpoint_in(folder, BEST)
    video = str(next(record.path for record in shapes.split("test")))
    steps = [
        ("train", ["fit", "--config", "two_stream", "--data.flow", str(flow), "--seed_everything", str(seed)]),
        ("test", ["test", "--ckpt_path", "best"]),
        ("label a video", ["predict", str(checkpoint), video]),
    ]
    for number, (title, command) in enumerate(steps, start=2):
        print(f"\n{number}. {title}: vidcls {' '.join(command)}", flush=True)
        words = command if command[0] == "predict" else [*command, "--run", str(folder)]
        status = vidcls([*words, *(["--verbose"] if is_verbose() else [])])
        if status != 0:
            return status
    print(f"\n{CEILINGS}\n{ROWS}\n{UNSURE}")
    print(f"the demo took {time.monotonic() - started:.0f} s; everything lies in {folder}")
    print(f"\n{OWN}")
    looks = (
        ["report", str(folder)],
        ["explain", str(folder), video, "--output", "heat.mp4"],
        ["serve", str(folder), "--page"],
    )
    for command in looks:
        print(f"  {shlex.join(['vidcls', *command])}")
    print(f"{NEXT}", flush=True)
    return vidcls(["serve", str(folder), "--page"]) if page else 0
