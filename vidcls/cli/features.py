"""``vidcls features``: a run -> what each layer knows of the classes: linear probes, pictures of the embedding."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.named_model import MODEL_HELP, named_checkpoint
from vidcls.cli.pool_options import add_engine_options, check_engine, chosen_pool, worker_device
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.remote import origin_of, place_of

if TYPE_CHECKING:
    from vidcls.explain.explainer import Explainer
    from vidcls.loading import VideoDataModule

DESCRIPTION = """What the layers of a trained model know: how well a linear classifier reads the class from each, fitted
to the run's training videos and asked about its test videos; and the test videos in a plane (PCA, t-SNE).

  vidcls features best
  vidcls features runs/two_stream --layer block2 --output features

Written to the folder: probes.png, probes.csv, embedding.png, embedding.csv. The videos are those of the run's
config.yaml, one centred clip of each. Features are kept: a second call does not compute them again."""
DEFAULT_FOLDER = "features"


def main(argv: list[str]) -> int:
    """Probe and draw; returns the exit status.

    Raises:
        VidclsError: bad options, no such run or layer, a video that cannot be read, or another command is writing to
            the folder.
    """
    options = _parsed(argv)
    from vidcls.folder_lock import FolderLock
    from vidcls.runs.folder import CONFIG_FILE
    from vidcls.runs.trained_model import run_of

    options.run = named_checkpoint(options.run)
    run = run_of(options.run)
    if run is None:
        raise ConfigurationError(
            f"{origin_of(options.run)}: no run with a {CONFIG_FILE}, which says what its videos are"
        )
    folder = options.output or run / DEFAULT_FOLDER
    with FolderLock(folder):
        _probe(options, run / CONFIG_FILE, folder)
    return 0


def _probe(options: Namespace, config: Path, folder: Path) -> None:
    from vidcls.explain import Explainer
    from vidcls.explain.feature_pictures import write_embeddings, write_probes
    from vidcls.explain.features import embeddings, linear_probes
    from vidcls.explain.kept_features import Elsewhere, kept_features, layer_store
    from vidcls.features import default_root
    from vidcls.inference import Scorer

    explainer = Explainer(options.run, device=options.device if options.engine == "local" else "cpu")
    data = _data(config, explainer, options)
    scorer = Scorer.of(explainer.model, data.input_settings)
    store = layer_store(options.features or default_root(data.dataset.root), scorer, data)
    elsewhere = None
    if options.engine != "local":
        checkpoint = explainer.predictor.path.absolute()
        elsewhere = Elsewhere(chosen_pool(options, [checkpoint]), checkpoint, worker_device(options))
    found = {split: kept_features(scorer, data, split, store, elsewhere) for split in ("train", "test")}
    layers = list(found["test"].by_layer)
    layer = options.layer or layers[max(0, len(layers) - 2)]  # the deepest before the logits
    if layer not in layers:
        raise ConfigurationError(f"--layer {layer}: this model has {', '.join(layers)}")
    probes = linear_probes(found["train"], found["test"])
    width = max(len(probe.layer) for probe in probes)
    print(f"{'layer':{width}}  features  train  test   (mean class accuracy of a linear probe)")
    for probe in probes:
        print(f"{probe.layer:{width}}  {probe.num_features:8d}  {probe.train_accuracy:.3f}  {probe.test_accuracy:.3f}")
    names = explainer.predictor.class_names
    files = write_probes(probes, folder, num_classes=len(names))
    planes = embeddings(found["test"].by_layer[layer])
    paths = [record.name for record in data.split("test")]
    files += write_embeddings(planes, found["test"], names, paths, folder, layer=layer)
    say(f"wrote {', '.join(str(file) for file in files)}")


def _parsed(argv: list[str]) -> Namespace:
    parser = OneLineParser("features", DESCRIPTION)
    add = parser.add_argument
    add("run", metavar="RUN", help=MODEL_HELP)
    add("--layer", metavar="NAME", help="the layer that is drawn (default: the deepest stage)")
    add("--output", type=Path, metavar="FOLDER", help="where to write (default: features in the run)")
    add(
        "--features", type=place_of, metavar="DIR", help="where features are kept (default: a cache folder by data set)"
    )
    add("--batch_size", type=positive_count, default=16, metavar="N", help="videos at once (default 16)")
    add(
        "--num_workers",
        type=_count,
        metavar="N",
        help="processes that load; 0 for none (default 2); on a cluster the most workers",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the network runs (default auto)")
    add_engine_options(parser)
    options = parser.parse_args(argv)
    check_engine(options)
    if options.engine != "local" and options.num_workers == 0:
        parser.error("--num_workers 0: a cluster has at least one worker: pass 1 or more, or remove it")
    return options


def _count(text: str) -> int:
    """An integer of at least 0."""
    return 0 if text == "0" else positive_count(text)


def _data(config: Path, explainer: Explainer, options: Namespace) -> VideoDataModule:
    """The run's data set, its clips as the checkpoint says."""
    from vidcls.loading.from_config import data_module_of
    from vidcls.settings_file import read_settings, section

    return data_module_of(
        section(read_settings(config), "data", config),
        streams=[stream.plain() for stream in explainer.model.streams],
        class_names=list(explainer.predictor.class_names),
        test_batch_size=options.batch_size,
        num_workers=2 if options.num_workers is None else options.num_workers,
        bad_videos="error",
    )
