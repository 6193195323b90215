"""``vidcls push``: a trained model -> a repository on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from vidcls.cli.argument_parser import OneLineParser
from vidcls.cli.named_model import MODEL_HELP, named_checkpoint
from vidcls.console import say
from vidcls.hub_repository import Repository
from vidcls.runs.trained_model import run_of

DESCRIPTION = """Upload a trained model to the Hugging Face Hub: the checkpoint without the state of its training, the
weights as safetensors, and a model card with the results of its test.

  vidcls push best user/fall-detector --license apache-2.0 --dataset 'Falls of our lab'
  vidcls push best user/fall-detector --output folder      # write the files, look at them, upload nothing

What names your folders and videos (config.yaml, test.csv, run.json) stays here unless --with_run is given.
Log in before: hf auth login, or set HF_TOKEN."""


def main(argv: list[str]) -> int:
    """Upload the model, or write the files; returns the exit status.

    Raises:
        VidclsError: no such model, the name is none, or the Hub refuses.
    """
    parser = OneLineParser("push", DESCRIPTION)
    add = parser.add_argument
    add("model", metavar="MODEL", help=MODEL_HELP)
    add("repository", metavar="USER/NAME", help="the repository; made where it does not exist")
    add("--license", metavar="NAME", help="of the weights, as the Hub names it, such as apache-2.0 or cc-by-4.0")
    add("--dataset", metavar="TEXT", help="what the card calls the videos that it was trained on")
    add("--private", action="store_true", help="a repository that is made is for you alone")
    add("--with_run", action="store_true", help="also config.yaml, the scores of each video and the facts of the run")
    add("--output", type=Path, metavar="FOLDER", help="write the files to this new folder and upload nothing")
    options = parser.parse_args(argv)
    Repository.of(options.repository)
    checkpoint = named_checkpoint(options.model)
    from vidcls.predict.publication import Publication, publish, write_repository

    wanted = Publication(options.repository, options.license, options.dataset, options.with_run)
    if options.output is None:
        publish(wanted, checkpoint, run_of(checkpoint), is_private=options.private, say=say)
    else:
        files = write_repository(wanted, checkpoint, run_of(checkpoint), options.output)
        say(f"written: {options.output}: {', '.join(files)}")
    return 0
