"""``vidcls probe``: a folder, a csv file or a data section -> the words of ``vidcls fit --config probe``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from vidcls.cli.backbones import known_backbones
from vidcls.cli.chosen_dataset import is_dataset_named
from vidcls.cli.class_help import class_help, help_asked
from vidcls.cli.data_source import export_of
from vidcls.cli.option_names import check_options
from vidcls.cli.pool_options import ENGINE_OPTIONS, check_engine_words, cluster_settings
from vidcls.cli.trainer_commands import check
from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError
from vidcls.remote import check_allowed, is_address
from vidcls.runs.folder import CONFIG_FILE, CheckpointName
from vidcls.spelling import did_you_mean
from vidcls.video_files import LIST_SUFFIXES, is_video

HELP = """usage: vidcls probe FOLDER|CSV [options]

The best answer from a few hundred clips in minutes: a pretrained network stays
frozen, its features of each video are computed once and kept, and small heads
on them are chosen by cross-validation within the training videos. The run is
one like any other: test, predict, report, explain and compare take it.

  vidcls probe my_videos                       a folder for each class
  vidcls probe clips.csv --backbone hf/facebook/dinov2-small
  vidcls probe --data ucf101 --data.dataset.root UCF-101
  vidcls test --ckpt_path best                 its score on the test videos

Data
  FOLDER|CSV                  the videos; or --data NAME|FILE, as for vidcls fit
  --data.num_folds N --data.fold I   test on fold I of N, cut by group
  --data.num_snippets N       frames of a video, or clips where the network sees
                              several frames at once (default 16, or 4)
  --data.transform.crop_px [H,W]  size at which the network sees whole frames
  --data.transform.test_crops 1   without the mirrored copy
Network
  --backbone NAME             vidcls backbones lists them; hf/NAME, timm/NAME,
                              or a trained model (default: efficientnet_lite0)
  --weights NAME|FILE         of the network (default: DEFAULT)
  --model.levels [A,B]        stages to use (default: a middle and the last)
  --flow_backbone NAME        a second network, on optical flow
Heads
  --model.choice.kinds [K,..]  logistic, svm, linear, attentive
  --model.choice.ensemble N   most heads that answer together
  --model.choice.help         everything about the candidates
Run
  --features DIR              where features are kept (default: a cache folder)
  --num_workers N             processes that compute features (default 2)
  --engine ray                compute them on a Ray cluster; with it --address,
                              --cpus_per_worker, --gpus_per_worker and
                              --memory_per_worker, as for vidcls flow
  --run DIR                   the folder of the run (default: a new one)
  --seed_everything N         same seed, same heads (default 0)

Other settings are those of --config probe; every option of vidcls fit can be
passed (vidcls fit --help all)."""

CONFIG = "probe"
FLOW_CONFIG = "two_stream_probe"
SHORT = {
    "--backbone": "--model.backbone",
    "--weights": "--model.weights",
    "--flow_backbone": "--model.flow_backbone",
    "--num_workers": "--data.num_workers",
}
"""Options of this command -> those of ``vidcls fit``."""


def main(argv: list[str]) -> int:
    """Fit a probe; returns the exit status.

    Raises:
        VidclsError: bad input; one line.
    """
    if any(word in ("--help", "-h") for word in argv):
        print(HELP)
        return 0
    wanted = help_asked(Words([_renamed(word) for word in argv]))
    if wanted is not None:
        print(class_help(*wanted, Words(["--config", CONFIG])))
        return 0
    argv, cluster = _without_engine(argv)
    asked = _asked(argv)
    words = Words(asked.words)
    check("fit", words)
    _check_backbones(words)
    from vidcls.cli.probe_input import with_input
    from vidcls.cli.training import run

    words = Words([*asked.config, *with_input(asked.given, asked.config[-1])])
    return run("fit", words, check("fit", words), cluster=cluster)


@dataclass(frozen=True)
class Asked:
    """What was asked for, in words of ``vidcls fit``.

    Args:
        config: the configuration.
        given: the rest, which counts more.
    """

    config: list[str]
    given: list[str]

    @property
    def words(self) -> list[str]:
        """All of them."""
        return [*self.config, *self.given]


def _asked(argv: list[str]) -> Asked:
    source, options = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else (None, argv)
    given = [_renamed(word) for word in options]
    words = Words(given)
    strays = [word.value for word in words if not word.option]
    if source is None and strays:  # options may come before the data set
        source = str(strays[0])
        given.remove(source)
    data = [] if source is None else _dataset_words(source)
    if source is None and not is_dataset_named(words) and not words.values("--config", "--ckpt_path"):
        check_options(Words(["--config", CONFIG, *given]))
        raise ConfigurationError(
            "no data set is given: pass a folder with a folder of videos for each class, or a csv file with the "
            "columns path,label, as in vidcls probe my_videos"
        )
    with_flow = words.last("--model.flow_backbone", "--model.flow_weights") is not None
    return Asked(["--config", FLOW_CONFIG if with_flow else CONFIG], [*data, *given])


def _without_engine(argv: list[str]) -> tuple[list[str], dict[str, object] | None]:
    """The words without those of the engine, and the cluster that these ask for."""
    words = Words(argv)
    engine = [text for word in words if word.option in ENGINE_OPTIONS for text in word.as_given]
    options = check_engine_words(Words(engine))
    others = words.without(*ENGINE_OPTIONS).as_given
    if options.engine == "local":
        return others, None
    num_workers = words.last("--num_workers", "--data.num_workers")
    if num_workers is not None:
        options = check_engine_words(Words([*engine, "--num_workers", num_workers]))
    return others, cluster_settings(options)


def _check_backbones(words: Words) -> None:
    """Refuse a network that there is not, or that nobody has trained."""
    known = {row.name: row for row in known_backbones()}
    for option, weights in (("--model.backbone", "--model.weights"), ("--model.flow_backbone", "--model.flow_weights")):
        name = words.last(option)
        if name is None or "/" in name or "." in name or name in get_args(CheckpointName):
            continue
        if name not in known and Path(name).exists():
            continue
        if name not in known:
            hint = did_you_mean(name, known, otherwise="vidcls backbones lists them")
            raise ConfigurationError(
                f"{option}: there is no backbone {name!r}: {hint}{' else' if hint.endswith('?') else ';'} pass a "
                "trained model, or hf/NAME or timm/NAME"
            )
        if not known[name].weights and words.last(weights) in (None, "DEFAULT"):
            raise ConfigurationError(
                f"{option}: {name} has no ready-made weights, and a probe learns none: pass a file as {weights}, or "
                "another network (vidcls backbones lists those with weights)"
            )


def _renamed(word: str) -> str:
    option, equals, value = word.partition("=")
    return f"{SHORT.get(option, option)}{equals}{value}"


def _dataset_words(source: str) -> list[str]:
    if is_address(source):
        check_allowed(source)
    path = Path(source).expanduser()
    if path.is_dir() and (path / CONFIG_FILE).is_file():
        raise ConfigurationError(
            f"{source}: is a run, not a data set: pass its videos, and --backbone {source} for its network"
        )
    if not is_address(source) and (exported := export_of(path)) is not None:
        return exported
    if path.is_dir() or (is_address(source) and not is_video(source) and path.suffix.lower() not in LIST_SUFFIXES):
        return ["--data", "video_folder", "--data.dataset.root", source]
    if path.suffix.lower() in LIST_SUFFIXES:
        return ["--data", "video_csv", "--data.dataset.path", source]
    if (is_address(source) or path.is_file()) and is_video(path.name):
        raise ConfigurationError(f"{source}: is one video: pass a folder with a folder of videos for each class")
    raise ConfigurationError(
        f"{source}: no such folder or csv file: pass a folder with a folder of videos for each class, or a csv file "
        "with the columns path,label"
    )
