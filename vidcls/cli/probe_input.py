"""The words of a probe -> the same with what its network sees: size, normalisation and frames, by its name."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vidcls.cli.backbones import known_backbones
from vidcls.cli.chosen_dataset import with_one_dataset
from vidcls.cli.resolved_config import plain, resolved_fit
from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError, VidclsError
from vidcls.layers.backbones.made_for import input_of
from vidcls.loading.from_config import videos_of
from vidcls.models.checkpoint import read_checkpoint
from vidcls.runs.trained_model import checkpoint_of
from vidcls.video import open_video

DEFAULT_BACKBONE = "efficientnet_lite0"
AREA_PX = 144 * 192
"""Of what a convolutional network sees of a frame: the cost of a video is in proportion to it."""
STEP_PX = 16
MOST_LOOKED_AT = 15
LONG_CLIP = 32
NUM_CLIPS = 4  # of a video, for networks of fewer frames

# Networks whose weights hold for one size of picture.
_OF_ONE_SIZE = ("hf/", "timm/", "vit", "swin", "maxvit", "mvit")


def with_input(words: Sequence[str], config: str = "probe") -> list[str]:
    """The words with the input of the network that they name, where they do not give it themselves.

    Args:
        words: of ``vidcls fit``, without the configuration.
        config: which counts less than they do.

    Raises:
        VidclsError: there is no such network, or its folder or checkpoint cannot be read.
    """
    backbone, weights, given = _network(_with_flow_network(words))
    if backbone == DEFAULT_BACKBONE and weights is None:
        found: list[str] = []
        is_of_one_size = False
    else:
        try:
            made_for = input_of(backbone, weights=weights)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        size = [*made_for.size_px]
        found = [
            *("--data.transform.crop_px", f"{size}"),
            *("--data.transform.rgb_mean", f"{[*made_for.rgb_mean]}"),
            *("--data.transform.rgb_std", f"{[*made_for.rgb_std]}"),
        ]
        if made_for.num_frames is not None and made_for.num_frames > 1:
            is_long = made_for.num_frames >= LONG_CLIP  # one clip, of frames that are spread over the whole video
            clip_len, num_snippets = (1, made_for.num_frames) if is_long else (made_for.num_frames, NUM_CLIPS)
            found += ["--data.clip_len", f"{clip_len}", "--data.num_snippets", f"{num_snippets}"]
            found += ["--model.snippets", "join"] if is_long else []
        is_of_one_size = made_for.num_frames is not None or backbone.startswith(_OF_ONE_SIZE)
    if not is_of_one_size and Words(given).last("--data.transform.crop_px") is None:
        found += ["--data.transform.crop_px", f"{[*_shape_of_videos(given, config)]}"]
    return [*found, *given]


def _network(words: Sequence[str]) -> tuple[str, str | None, list[str]]:
    """The backbone, its weights where they are given, and the words with those of a trained model in its place."""
    given = Words(words)
    backbone, weights = given.last("--model.backbone") or DEFAULT_BACKBONE, given.last("--model.weights")
    if not _is_trained_model(backbone):
        return backbone, weights, list(words)
    facts = read_checkpoint(checkpoint_of(backbone))
    inner = facts.model_arguments.get("backbone")
    if not isinstance(inner, str):
        raise ConfigurationError(
            f"--backbone {backbone}: its model {facts.class_path.rpartition('.')[2]} has more than one network: pass "
            "the name of one as --backbone, and this file as --weights"
        )
    rest = given.without("--model.backbone", "--model.weights").as_given
    weights = str(facts.path)
    return inner, weights, ["--model.backbone", inner, "--model.weights", weights, *rest]


def _with_flow_network(words: Sequence[str]) -> list[str]:
    """The words with the temporal stream of a trained model in place of the model."""
    given = Words(words)
    name = given.last("--model.flow_backbone")
    if name is None or not _is_trained_model(name):
        return list(words)
    facts = read_checkpoint(checkpoint_of(name))
    temporal = facts.model_arguments.get("temporal")
    if not isinstance(temporal, str):
        raise ConfigurationError(
            f"--flow_backbone {name}: its model {facts.class_path.rpartition('.')[2]} has no temporal stream: pass a "
            "TwoStream model, or the name of a network on pictures"
        )
    network = ["--model.flow_backbone", temporal, "--model.flow_weights", str(facts.path), "--model.flow_as", "stacks"]
    length = ["--data.flow_len", f"{facts.clip.flow_len}"]
    return [*network, *length, *given.without("--model.flow_backbone", "--model.flow_weights").as_given]


def _is_trained_model(name: str) -> bool:
    """Whether a run or a checkpoint is named; a folder that is called like a backbone is not."""
    if name in ("best", "last") or name.endswith(".ckpt"):
        return True
    is_backbone = name.startswith("hf/") or any(row.name == name for row in known_backbones())
    return Path(name).is_dir() and not is_backbone


def _shape_of_videos(words: Sequence[str], config: str) -> tuple[int, int]:
    """Height and width in the shape of most training videos, of the usual area."""
    parsed = resolved_fit(with_one_dataset(Words(["--config", config, *words])).arguments)
    records = [record for record in videos_of(plain(parsed.data)) if record.split == "train"]  # type: ignore[arg-type]
    step = max(1, len(records) // MOST_LOOKED_AT)
    shapes: list[float] = []
    for record in records[::step]:
        with suppress(VidclsError), open_video(record.source) as video:  # what cannot be read is said where it matters
            shapes.append(video.info.width_px / video.info.height_px)
    shape = statistics.median(shapes) if shapes else 4 / 3
    height = (AREA_PX / min(max(shape, 1 / 3), 3)) ** 0.5
    sides = [max(STEP_PX, round(side / STEP_PX) * STEP_PX) for side in (height, AREA_PX / height)]
    return sides[0], sides[1]
