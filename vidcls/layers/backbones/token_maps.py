"""Tokens of a transformer -> maps, so that each stage gives what tells places apart.

Between stages there are maps ``(B, D, H, W)`` or ``(B, D, T, H, W)``: the tokens of the patches, back on their grid. A
network with tokens beside those, such as a class token, hands them on with the maps, as a tuple that begins with the
maps: ``(maps, others (B, P, D), ...)``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vidcls.errors import ConfigurationError

Carried = Tensor | tuple[Tensor, ...]
Embed = Callable[[nn.Module, Tensor], Tensor]


class Patches(nn.Module):
    """Frames or clips -> the maps of their patches, with what goes beside them.

    Args:
        name: of the model, for messages.
        embed: the layer that makes tokens.
        call: how it is called, with ``(B, C, H, W)`` or ``(B, T, C, H, W)``.
        patch: extents of a patch in pixels, (height, width), or (frames, height, width).
        num_others: P tokens in front of those of the patches.
        size_px: the only (height, width) that it takes; None for any of at least one patch.
        num_frames: the only number of frames that it takes; None for any multiple of the patch's.
        time_last: whether the tokens of one place follow each other, instead of those of one time.
        after: what is done to the tokens before the first layer.
        rotate: ``(frames) -> (cos, sin)`` of the places, handed on beside the tokens.
    """

    def __init__(
        self,
        name: str,
        embed: nn.Module,
        call: Embed,
        *,
        patch: tuple[int, ...],
        num_others: int = 0,
        size_px: tuple[int, int] | None = None,
        num_frames: int | None = None,
        time_last: bool = False,
        after: nn.Module | None = None,
        rotate: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.embed = embed
        self.after = after if after is not None else nn.Identity()
        self.rotate = rotate
        self.name, self.call, self.patch, self.num_others = name, call, patch, num_others
        self.size_px, self.num_frames, self.time_last = size_px, num_frames, time_last
        self.counting = tuple(module for module in embed.modules() if hasattr(module, "num_channels"))

    def forward(self, x: Tensor) -> Carried:
        """``(B, C, H, W)`` or ``(B, C, T, H, W)`` -> maps.

        Raises:
            ConfigurationError: of a size or length that the network does not take.
        """
        self._check(x.shape)
        for module in self.counting:  # they compare it, whatever their convolution has become
            module.num_channels = x.shape[1]  # type: ignore[assignment]
        grid = tuple(size // extent for size, extent in zip(x.shape[2:], self.patch, strict=True))
        tokens = self.call(self.embed, x if len(self.patch) == 2 else x.transpose(1, 2))
        tokens = self.after(tokens.reshape(x.shape[0], -1, tokens.shape[-1]))  # (B, P + N, D)
        others, places = tokens[:, : self.num_others], tokens[:, self.num_others :]
        maps = from_places(places, grid, time_last=self.time_last)
        if self.rotate is not None:
            return (maps, others, *self.rotate(x))
        return (maps, others) if self.num_others else maps

    def _check(self, shape: torch.Size) -> None:
        *frames, height, width = shape[2:]
        least = self.patch[-2:]
        if self.size_px is not None and (height, width) != self.size_px:
            wanted = f"{self.size_px[0]}x{self.size_px[1]}"
            raise ConfigurationError(
                f"{self.name} takes frames of {wanted}, got {height}x{width}: set transform.crop_px to "
                f"{self.size_px[0] if self.size_px[0] == self.size_px[1] else list(self.size_px)}"
            )
        if height < least[0] or width < least[1]:
            raise ConfigurationError(
                f"{self.name} takes frames of at least {least[0]}x{least[1]}, got {height}x{width}: raise "
                "transform.crop_px"
            )
        if frames and self.num_frames is not None and frames[0] != self.num_frames:
            raise ConfigurationError(
                f"{self.name} takes clips of {self.num_frames} frames, got {frames[0]}: set clip_len to "
                f"{self.num_frames}"
            )
        if frames and (frames[0] < self.patch[0] or frames[0] % self.patch[0]):
            raise ConfigurationError(
                f"{self.name} takes clips of a multiple of {self.patch[0]} frames, got {frames[0]}: change clip_len"
            )


class TokenLayer(nn.Module):
    """A layer over all tokens of a picture or clip, or over those of one time or of one place.

    Args:
        layer: tokens -> tokens, or a tuple that begins with them.
        over: ``all``; ``space``: each time by itself; ``time``: each place by itself.
        takes_mask: whether the layer wants a mask, which is None.
        time_last: see :class:`Patches`.
        num_others: P tokens that go beside the maps.
        before: done to the tokens before, such as places in time.
        norm: done to the tokens after.
    """

    def __init__(
        self,
        layer: nn.Module,
        *,
        over: str = "all",
        takes_mask: bool = False,
        time_last: bool = False,
        num_others: int = 0,
        before: nn.Module | None = None,
        norm: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.before = before if before is not None else nn.Identity()
        self.layer = layer
        self.norm = norm if norm is not None else nn.Identity()
        self.over, self.takes_mask, self.time_last, self.num_others = over, takes_mask, time_last, num_others

    def forward(self, carried: Carried) -> Carried:
        """The same shapes.

        Raises:
            ConfigurationError: there are maps alone, of a network with other tokens.
        """
        if isinstance(carried, Tensor):
            if self.num_others:
                raise ConfigurationError(
                    "this backbone has a class token, which maps that are joined between its stages lack: join them "
                    "after its last stage, or use another backbone"
                )
            return self._maps(carried)
        maps, others, *rotation = carried
        tokens = torch.cat([others, to_places(maps, time_last=self.time_last)], dim=1)  # (B, P + N, D)
        tokens = self._tokens(tokens, rotation)
        num_others = others.shape[1]
        places = from_places(tokens[:, num_others:], maps.shape[2:], time_last=self.time_last)
        return (places, tokens[:, :num_others], *rotation)

    def _maps(self, maps: Tensor) -> Tensor:
        if self.over == "all":
            return from_places(self._tokens(to_places(maps), []), maps.shape[2:])
        B, _, T, H, W = maps.shape
        if self.over == "space":
            places = maps.permute(0, 2, 3, 4, 1).reshape(B * T, H * W, -1)  # (B*T, H*W, D)
            return self._tokens(places, []).reshape(B, T, H, W, -1).permute(0, 4, 1, 2, 3)
        places = maps.permute(0, 3, 4, 2, 1).reshape(B * H * W, T, -1)  # (B*H*W, T, D)
        return self._tokens(places, []).reshape(B, H, W, T, -1).permute(0, 4, 3, 1, 2)

    def _tokens(self, tokens: Tensor, rotation: list[Tensor]) -> Tensor:
        tokens = self.before(tokens)
        if rotation:
            found = self.layer(tokens, position_embeddings=tuple(rotation))
        else:
            found = self.layer(tokens, None) if self.takes_mask else self.layer(tokens)
        return self.norm(found if isinstance(found, Tensor) else found[0])


class ClassToken(nn.Module):
    """The class token, and where ``with_mean`` the mean over the places behind it.

    Args:
        name: of the model, for messages.
        norm: done to the class token.
        with_mean: whether the mean joins it, ``(B, 2 * D)``.
    """

    def __init__(self, name: str, *, norm: nn.Module | None = None, with_mean: bool = False) -> None:
        super().__init__()
        self.norm = norm if norm is not None else nn.Identity()
        self.name, self.with_mean = name, with_mean

    def forward(self, carried: Carried) -> Tensor:
        """Maps and other tokens -> ``(B, D)``.

        Raises:
            ConfigurationError: there are maps alone, which a model has joined.
        """
        if isinstance(carried, Tensor):
            raise ConfigurationError(
                f"{self.name}: its features are those of its class token, not of maps that this model joins: use "
                "SingleFrame or Conv3D, or another backbone"
            )
        token = self.norm(carried[1][:, 0])
        return torch.cat([token, carried[0].flatten(2).mean(dim=2)], dim=1) if self.with_mean else token


class Pooled(nn.Module):
    """A model's own pooling of tokens.

    Args:
        pool: tokens ``(B, N, D)`` -> ``(B, D)``, or a tuple that begins with ``(B, 1, D)``.
        norm: done to the result.
    """

    def __init__(self, pool: nn.Module, *, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.pool = pool
        self.norm = norm if norm is not None else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, D, ...)`` -> ``(B, D)``."""
        found = self.pool(to_places(maps))
        return self.norm(found if isinstance(found, Tensor) else found[0].squeeze(1))


class FirstPlace(nn.Module):
    """The first token of the maps."""

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, D, ...)`` -> ``(B, D)``."""
        return maps.flatten(2)[:, :, 0]


class OnlyPlaces(nn.Module):
    """Maps alone, of maps with other tokens beside them."""

    def forward(self, carried: Carried) -> Tensor:
        """Drop the others."""
        return carried if isinstance(carried, Tensor) else carried[0]


def to_places(maps: Tensor, *, time_last: bool = False) -> Tensor:
    """Maps ``(B, D, H, W)`` or ``(B, D, T, H, W)`` -> tokens ``(B, N, D)``."""
    maps = maps.movedim(2, -1) if time_last else maps
    return maps.flatten(2).transpose(1, 2)


def from_places(tokens: Tensor, grid: tuple[int, ...], *, time_last: bool = False) -> Tensor:
    """The inverse of :func:`to_places`; ``grid`` is (H, W) or (T, H, W)."""
    channels_first = tokens.transpose(1, 2)
    if time_last:
        return channels_first.unflatten(2, (*grid[1:], grid[0])).movedim(-1, 2)
    return channels_first.unflatten(2, tuple(grid))
