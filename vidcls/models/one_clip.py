"""A training batch of one clip that batch normalisation cannot take -> one line that says what does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vidcls.errors import ConfigurationError

TORCH_SAYS = "Expected more than 1 value per channel when training"


@contextmanager
def normalising_one_clip(num_clips: int) -> Iterator[None]:
    """The forward pass of a training batch of ``num_clips``.

    Raises:
        ConfigurationError: the maps of a batch of one are 1x1 somewhere, so that a channel has a single value there.
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:  # the second where the network is compiled
        if TORCH_SAYS not in str(error):
            raise
        raise ConfigurationError(
            f"batch normalisation needs more than one value in each channel, but this batch has {num_clips} clip and "
            "maps of 1x1: use --data.batch_size 2 or more, larger frames (--data.transform.crop_px), or keep the "
            "statistics (--model.transfer.freeze all, or .partial_batch_norm true)"
        ) from error
