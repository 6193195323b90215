"""A run -> a folder or zip file for a colleague: the weights, the results, and a README that says how to use them."""

from __future__ import annotations

import io
import shlex
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.hub_files import PREFIX as HUB_PREFIX
from vidcls.layers.backbones.own_class import own_class
from vidcls.models.checkpoint import FACTS_KEY, CheckpointFacts, read_checkpoint
from vidcls.packed_file import unpacking
from vidcls.predict.without_folders import without_folders
from vidcls.runs.estimates import estimates
from vidcls.runs.folder import CHECKPOINTS, CONFIG_FILE, HANDED_OVER
from vidcls.runs.reading import reading
from vidcls.runs.run import read_run
from vidcls.runs.summary import tested_checkpoint
from vidcls.settings_file import read_settings
from vidcls.training.code_state import vidcls_code
from vidcls.trusted_classes import OPTION, is_trusted
from vidcls.weights_file import read_weights_file

README = "README.txt"
NEEDED = (FACTS_KEY, "hyper_parameters", "state_dict", "global_step", "epoch", "pytorch-lightning_version")
"""What using a network takes of its checkpoint: neither the optimiser nor where the training was."""
BACKBONES = ("backbone", "spatial", "temporal")
"""Arguments of the models that name one."""


def hand_over(checkpoint: Path, run: Path | None, output: Path, *, say: Callable[[str], object]) -> None:
    """Write the folder or ``.zip`` file; it can be predicted with, tested, reported and explained like the run.

    Args:
        checkpoint: the file whose weights are handed over.
        run: the folder that it lies in; None where it lies elsewhere, so that there are no results.
        output: a path that ends in ``.zip``, or a folder; neither must exist.
        say: prints a line.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        ConfigurationError: ``output`` exists.
    """
    if output.exists():
        raise ConfigurationError(f"{output}: already exists: move it away, or choose another name")
    facts = read_checkpoint(checkpoint)
    output.parent.mkdir(parents=True, exist_ok=True)
    name = output.stem if output.suffix == ".zip" else output.name
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{name}-") as made:
        folder = Path(made) / name
        (folder / CHECKPOINTS).mkdir(parents=True)
        packed = folder / CHECKPOINTS / checkpoint.name
        write_weights(checkpoint, packed)
        files = [
            packed,
            *(_copied(run / file, folder / file) for file in HANDED_OVER if run and (run / file).is_file()),
        ]
        files.append(folder / README)
        files[-1].write_text(_readme(facts, run, name), encoding="utf-8")
        if output.suffix == ".zip":
            zipped = Path(made) / output.name
            with zipfile.ZipFile(zipped, "w") as archive:  # weights do not get smaller
                for file in files:
                    archive.write(file, file.relative_to(made))
            zipped.replace(output)
        else:
            folder.replace(output)
    say(f"written: {output}: {', '.join(str(file.relative_to(folder)) for file in files)}")
    if output.suffix == ".zip":
        say(f"to use it, {unpacking(output)}: unpacked it is used like a run, as its {README} says")


def write_weights(checkpoint: Path, packed: Path, *, with_folders: bool = True) -> None:
    """Write a checkpoint without the state of its training, and without the folders of its machine where asked."""
    content = read_weights_file(checkpoint)
    assert isinstance(content, dict)
    written = {key: content[key] for key in NEEDED if key in content}
    if not with_folders:
        told = {key: value for key, value in written.items() if key != "state_dict"}
        written |= without_folders(told)
    content = io.BytesIO()  # where the disk is full, PyTorch's writer of files ends the process in place of raising
    torch.save(written, content)
    packed.write_bytes(content.getbuffer())


def _copied(file: Path, target: Path) -> Path:
    shutil.copyfile(file, target)
    return target


def _readme(facts: CheckpointFacts, run: Path | None, name: str) -> str:
    lines = [
        f"{facts.class_path.rpartition('.')[2]}, a video classifier of {len(facts.class_names)} classes",
        "",
        f"Classes: {', '.join(facts.class_names)}",
        f"Input: {input_text(facts)}",
        "",
        "Install (Python 3.11 to 3.13):",
        *(f"    {line}" for line in install_lines(facts)),
    ]
    own = own_classes(facts)
    allowed = "".join(f" {OPTION} {package}" for package in dict.fromkeys(path.partition(".")[0] for path in own))
    stem = "" if facts.path.stem == "best" else f"/{CHECKPOINTS}/{facts.path.name}"
    place = shlex.quote(f"{name}{stem}")
    lines += [
        "",
        "Use:",
        f"    vidcls predict {place} video.mp4{allowed}",
        f"    vidcls test --run {shlex.quote(name)} --ckpt_path {facts.path.stem} --data.dataset.{_data_option(run)}"
        + allowed,
        f'    python -c "import vidcls; print(vidcls.load({f"{name}{stem}"!r})({"video.mp4"!r}).label)"',
        "",
        *_results(run, facts),
        "The checkpoint has the weights and the settings of its input. Its training cannot be continued, as that of",
        "the original can. config.yaml and run.json name folders and the machine of the training.",
        "",
    ]
    return "\n".join(lines)


def install_lines(facts: CheckpointFacts) -> list[str]:
    """What to install to use a model, a line for each."""
    lines = [f"pip install .   in a clone of vidcls; written by {_this_version()}"]
    if any(str(value).startswith("timm/") for value in facts.model_arguments.values()):
        lines.append("pip install timm")
    if any(str(value).startswith(HUB_PREFIX) for value in facts.model_arguments.values()):
        lines.append("pip install transformers")
    return lines + [f"and the package {path.partition('.')[0]}, which defines {path}" for path in own_classes(facts)]


def own_classes(facts: CheckpointFacts) -> list[str]:
    """The classes that the model needs and that are of other packages: its own, and those of its backbones."""
    backbones = (own_class(str(facts.model_arguments.get(name))) for name in BACKBONES)
    paths = [facts.class_path, *(backbone.class_path for backbone in backbones if backbone is not None)]
    return [path for path in paths if not is_trusted(path)]


def input_text(facts: CheckpointFacts) -> str:
    """What a model sees of a video, in words."""
    flow = (facts.input_settings or {}).get("flow_settings")
    by = f"; optical flow by {flow['method']}, computed while predicting" if isinstance(flow, dict) else ""
    return _clips(facts) + by


def _clips(facts: CheckpointFacts) -> str:
    clip = facts.clip
    if clip.num_snippets > 1:
        each = "" if clip.clip_len == 1 else f", {clip.clip_len} frames each"
        return f"any video, seen in {clip.num_snippets} places that are spread over it{each}"
    return f"any video, seen in clips of {clip.clip_len} frame{'s' if clip.clip_len > 1 else ''}"


def _this_version() -> str:
    code = vidcls_code()
    return f"version {code['version']}" + (f", commit {code['commit']}" if code["commit"] else "")


def _data_option(run: Path | None) -> str:
    """The option that says where the videos are: the list of them, or their folder."""
    config = None if run is None else run / CONFIG_FILE
    data = read_settings(config).get("data") if config is not None and config.is_file() else None
    dataset = data.get("dataset") if isinstance(data, Mapping) else None
    arguments = dataset.get("init_args") if isinstance(dataset, Mapping) else None
    return "path LIST.csv" if isinstance(arguments, Mapping) and arguments.get("path") else "root FOLDER"


def _results(run: Path | None, facts: CheckpointFacts) -> list[str]:
    if run is None or tested_checkpoint(run) is None:
        return ["It was not tested.", ""]
    try:
        videos = read_run(run).videos
    except (ConfigurationError, CheckpointError):
        return ["The files of its test cannot be read.", ""]
    tested = tested_checkpoint(run)
    of_other = "" if tested == facts.path.stem else f" of {tested}.ckpt"
    return [f"Test{of_other}:", *(f"    {line}" for line in reading(videos, estimates(videos))), ""]
