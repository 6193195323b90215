"""``vidcls summary``: a configuration or a checkpoint -> the table of its layers, and what one clip costs."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cli.models import ROWS
from vidcls.cli.named_model import MODEL_HELP, named_checkpoint
from vidcls.cli.option_names import check_options, refuse_strays
from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError
from vidcls.runs.folder import CheckpointName
from vidcls.runs.trained_model import holds_runs, is_run
from vidcls.spelling import same_name

if TYPE_CHECKING:
    from vidcls.layers.layer_table import LayerRow
    from vidcls.models import VideoClassifier

DESCRIPTION = """The layers of a model: kernel, stride and padding in (time,) height and width, output size, parameters
and multiply-adds for one clip, then the totals and how many frames one unit of the features sees.

  vidcls summary two_stream
  vidcls summary configs/paper/two_stream_ucf101.yaml --num_classes 101
  vidcls summary two_stream --model.spatial resnet18 --data.transform.crop_px 112
  vidcls summary best --output layers.csv

Nothing is trained, downloaded or read besides the configuration, and nothing is computed: large models take a second.
Output sizes are those of one call without its first axis: a 2D network is called once with all frames of the clip."""
SILENT_KINDS = ("Identity", "Dropout", "Dropout2d", "Dropout3d", "StochasticDepth")
DEFAULT_NUM_CLASSES = 10
TABLE_FORMATS = (".csv", ".json")
SEEN_BY_ALL = "not stated by this model"


@dataclass(frozen=True)
class Sketch:
    """A model without values, and the shapes of one clip.

    Args:
        model: on the ``meta`` device.
        shapes: of each stream for one clip.
        title: what was asked for.
        num_classes_is_known: whether K was given or comes from a checkpoint.
    """

    model: VideoClassifier
    shapes: list[tuple[int, ...]]
    title: str
    num_classes_is_known: bool


def main(argv: list[str]) -> int:
    """Print the table; returns the exit status.

    Raises:
        VidclsError: bad options, configuration or checkpoint, or a clip that the model does not take.
    """
    options, others = _parsed(argv)
    if options.output is not None and options.output.suffix not in TABLE_FORMATS:
        raise ConfigurationError(f"--output {options.output}: a table is written as {' or '.join(TABLE_FORMATS)}")
    sketch = _sketch(options, others)
    from vidcls.layers.layer_table import layer_table

    try:
        rows = layer_table(sketch.model, *sketch.shapes)
    except ValueError as error:
        raise ConfigurationError(f"{sketch.title}: {error}") from error
    shown = [row for row in rows if row.kind not in SILENT_KINDS]
    print(f"{type(sketch.model).__name__} of {sketch.title}, {sketch.model.num_classes} classes{_guess(sketch)}")
    for stream, shape in zip(sketch.model.streams, sketch.shapes, strict=True):
        print(f"one clip of {stream.name}: {' x '.join(map(str, shape[1:]))} (channels, frames, height, width)")
    print()
    print(as_text(shown))
    print()
    for line in totals(sketch, rows):
        print(line)
    sys.stdout.flush()
    if options.output is not None:
        _write(options.output, rows)
    return 0


def as_text(rows: Sequence[LayerRow]) -> str:
    """Rows as columns of text."""
    header = ("layer", "kind", "kernel", "stride", "padding", "output", "calls", "parameters", "multiply-adds")
    lines = [header] + [
        (
            row.name,
            row.kind,
            _sizes(row.kernel),
            _sizes(row.stride),
            row.padding if isinstance(row.padding, str) else _sizes(row.padding),
            _sizes(row.output_shape),
            str(row.num_calls),
            f"{row.num_parameters:,}",
            f"{row.num_multiply_adds:,}",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    left = 6  # columns of words and sizes; the numbers stand to the right
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def totals(sketch: Sketch, rows: Sequence[LayerRow]) -> list[str]:
    """Parameters, multiply-adds and the frames that one unit sees, a line each."""
    from vidcls.layers.layer_table import num_multiply_adds, num_parameters

    model = sketch.model
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total, work = num_parameters(model), num_multiply_adds(model, *sketch.shapes)
    in_layers = sum(row.num_multiply_adds for row in rows)
    outside = f", {work - in_layers:,} of them outside of layers (attention, losses)" if work > in_layers else ""
    field, stride = model.receptive_field, model.clip.stride
    frames = SEEN_BY_ALL if field is None else f"{field} of the frames given"
    if field is not None and stride > 1:
        frames += f", {(field - 1) * stride + 1} of the file (stride {stride})"
    return [
        f"parameters: {total:,} ({trained:,} with a gradient)",
        f"multiply-adds for one clip: {work:,}{outside}",
        f"temporal receptive field of a unit of the features: {frames}",
    ]


def _guess(sketch: Sketch) -> str:
    return "" if sketch.num_classes_is_known else " (not known without the data; --num_classes says it)"


def _sizes(sizes: tuple[int, ...] | None) -> str:
    return "-" if sizes is None else "x".join(map(str, sizes))


def _parsed(argv: list[str]) -> tuple[Namespace, list[str]]:
    parser = OneLineParser("summary", DESCRIPTION)
    add = parser.add_argument
    add("source", metavar="CONFIG|MODEL", help=f"A configuration, by name or file, or {MODEL_HELP}.")
    add("--num_classes", type=positive_count, default=None, help="K, for a configuration whose data is not at hand.")
    add("--output", type=Path, default=None, help="Write the table to this .csv or .json file too.")
    return parser.parse_known_args(argv)


def _sketch(options: Namespace, others: Sequence[str]) -> Sketch:
    if _is_trained(options.source):
        if others or options.num_classes is not None:
            first = others[0] if others else "--num_classes"
            raise ConfigurationError(f"{first}: has no effect on a checkpoint, which says it all: remove it")
        return _of_checkpoint(named_checkpoint(options.source))
    named = {row.name: row.config for row in ROWS}  # the name of a model's class means its configuration
    model = None if Path(options.source).is_file() else same_name(options.source, named)
    source = named[model] if model is not None else options.source
    return _of_configuration(source, others, options.num_classes)


def _is_trained(source: str) -> bool:
    """Whether a trained model is meant, and not a configuration."""
    import zipfile

    path = Path(source)
    if path.is_dir():  # one may be called like a configuration
        return is_run(path) or holds_runs(path)
    return source in get_args(CheckpointName) or source.endswith(".ckpt") or zipfile.is_zipfile(path)


def _of_checkpoint(path: Path) -> Sketch:
    from vidcls.models.build import build_classifier
    from vidcls.models.checkpoint import read_checkpoint
    from vidcls.models.input_shapes import input_shapes, sound_seconds_of

    facts = read_checkpoint(path)
    model = build_classifier(facts)
    if facts.input_settings is None:
        raise ConfigurationError(f"{path}: does not say how large its pictures are: it was trained without our data")
    transform = facts.input_settings["transform"]
    assert isinstance(transform, dict)
    seconds = sound_seconds_of(facts.input_settings)
    shapes = input_shapes(model.streams, model.clip, transform["crop_px"], sound_seconds=seconds)
    return Sketch(model, shapes, str(path), num_classes_is_known=True)


def _of_configuration(source: str, others: Sequence[str], num_classes: int | None) -> Sketch:
    given = Words(["--config", source, *others])
    refuse_strays(given)
    check_options(given)
    import torch
    from jsonargparse import ArgumentError

    from vidcls.cli.messages import own_message, parser_message
    from vidcls.cli.resolved_config import plain, resolved_fit
    from vidcls.models.build import import_class, instantiate_model
    from vidcls.models.classifier import LINKED_ARGUMENTS
    from vidcls.models.input_shapes import input_shapes, sound_seconds_of
    from vidcls.tasks import task_class
    from vidcls.types import ClipSettings

    config = resolved_fit(given.arguments)
    model_class: type[VideoClassifier] = import_class(config.model.class_path)
    arguments = plain(config.model.init_args)
    assert isinstance(arguments, dict)
    arguments = {name: value for name, value in arguments.items() if name not in LINKED_ARGUMENTS}
    arguments |= dict.fromkeys((name for name in model_class.initial_weights if name in arguments), None)
    data = config.data
    clip = ClipSettings(data.num_snippets, data.clip_len, data.stride, data.flow_len)
    known = data.class_names or num_classes
    names = data.class_names or [f"class {k}" for k in range(num_classes or DEFAULT_NUM_CLASSES)]
    try:
        with torch.device("meta"):
            model = instantiate_model(model_class, names, clip, arguments, task=task_class(data.task).name)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(own_message(error) or parser_message(error)) from error
    seconds = sound_seconds_of({"audio_seconds": data.audio_seconds})
    shapes = input_shapes(model_class.streams, clip, data.transform.crop_px, sound_seconds=seconds)
    return Sketch(model, shapes, source, num_classes_is_known=bool(known))


def _write(path: Path, rows: Sequence[LayerRow]) -> None:
    from vidcls.files import write_csv, write_text

    plain_rows = [dataclasses.asdict(row) for row in rows]
    if path.suffix == ".json":
        write_text(path, json.dumps(plain_rows, indent=1))
        return
    sizes = ("kernel", "stride", "padding", "output_shape")
    rows_of_text = [
        [_sizes(value) if name in sizes and not isinstance(value, str) else value for name, value in row.items()]
        for row in plain_rows
    ]
    write_csv(path, [[*plain_rows[0]], *rows_of_text])
