"""Pretrained weights and the input of a training -> hints where the weights were made with another input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from vidcls.clips.settings import InputSettings
from vidcls.errors import VidclsError
from vidcls.hub_files import PREFIX as HUB_PREFIX
from vidcls.layers.backbones.made_for import ready_made_input
from vidcls.layers.published_weights import PublishedFormat

TOLERANCE = 0.005  # the means of ImageNet and Kinetics differ by .05 and more; .5 stands for 127/255


def pretrained_input_lines(networks: Mapping[str, tuple[str, str | None]], settings: InputSettings) -> Iterator[str]:
    """What to set so that networks see RGB as their weights have learned to.

    Args:
        networks: of RGB: by the argument that names it, the backbone and its weights.
        settings: the input of the training.
    """
    transform = settings.transform
    for name, weights in networks.values():
        try:
            made = ready_made_input(name, weights)
        except VidclsError as error:
            yield f"hint: what input {name} was made for is not known: {error}"
            continue
        if made is None:
            continue
        yield from _other_normalisation(f"{weights} of {name}", made.rgb_mean, made.rgb_std, settings)
        if name.startswith(HUB_PREFIX) and made.size_px != transform.crop_size:
            height, width = made.size_px
            crop_px = height if height == width else f"[{height}, {width}]"
            yield (
                f"hint: the weights {weights} of {name} were made for frames of {width}x{height}, and its position "
                f"embeddings are interpolated: set --data.transform.crop_px {crop_px}"
            )


def published_input_lines(published: PublishedFormat | None, settings: InputSettings) -> Iterator[str]:
    """What to set so that a model whose weights others have published sees RGB as these have learned to.

    Args:
        published: the format of its file; None where its weights are of another kind.
        settings: the input of the training.
    """
    if published is not None:
        yield from _other_normalisation(f"of {published.title}", published.rgb_mean, published.rgb_std, settings)


def _other_normalisation(
    weights: str, mean: Sequence[float], std: Sequence[float], settings: InputSettings
) -> Iterator[str]:
    transform = settings.transform
    if not (_alike(mean, transform.rgb_mean) and _alike(std, transform.rgb_std)):
        yield (
            f"hint: the weights {weights} were made with another normalisation: set "
            f"--data.transform.rgb_mean '{_shown(mean)}' --data.transform.rgb_std '{_shown(std)}'"
        )


def _alike(values: Sequence[float], others: Sequence[float]) -> bool:
    return all(math.isclose(a, b, abs_tol=TOLERANCE) for a, b in zip(values, others, strict=True))


def _shown(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:.6g}' for value in values)}]"
