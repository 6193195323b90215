"""Tokens of a frozen backbone -> logits: the heads of a probe, built again from plain settings and shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.layers.attentive import AttentivePool
from vidcls.layers.descriptors import Places, Scale, Shape, blocks_of, describe

HeadKind = Literal["logistic", "svm", "linear", "attentive"]
DROPOUT = 0.3  # of the attentive head
AFFINE = ("logistic", "svm")  # kinds that are one linear layer on a descriptor

MOST_HEADS = 100  # of an ensemble that a file describes


@dataclass(frozen=True)
class HeadSettings:
    """What a head is and how it is fitted, in plain types.

    Args:
        kind: ``logistic`` regression or linear ``svm`` on a descriptor; ``linear``, the same trained in PyTorch with
            augmentation; or ``attentive``, a learned query with cross attention over all tokens.
        levels: whose tokens it sees, side by side.
        descriptor: how time is pooled, such as ``mean+absdiff+ends``; see :mod:`vidcls.layers.descriptors`. The
            attentive head sees all tokens and has none.
        places: ``whole`` picture, ``grid``, or ``both``.
        scale: what is done to each number of the descriptor first.
        strength: C of ``logistic`` and ``svm``: the inverse of the regularisation.
        pca: principal components that are kept and scaled to variance 1; 0 for all, as they are.
        width: D of the attentive head's tokens after projection.
        num_heads: of its attention.
        num_epochs: of training in PyTorch.
    """

    kind: HeadKind = "logistic"
    levels: tuple[str, ...] = ()
    descriptor: str = "mean+absdiff+ends"
    places: Places = "grid"
    scale: Scale = "none"
    strength: float = 0.01
    pca: int = 128
    width: int = 128
    num_heads: int = 4
    num_epochs: int = 60

    def __post_init__(self) -> None:
        """Refuse what cannot be a head, as in a file that was not written by :meth:`to_dict`."""
        if self.kind not in get_args(HeadKind):
            raise ValueError(f"a head is of kind {self.kind!r}; expected one of {', '.join(get_args(HeadKind))}")
        levels = self.levels
        if not isinstance(levels, list | tuple) or not all(isinstance(level, str) for level in levels):
            raise ValueError(f"a head has levels {levels!r}; expected a list of names")
        object.__setattr__(self, "levels", tuple(levels))
        for name in ("width", "num_heads"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"a head has {name} {value!r}; expected an integer of at least 1")

    def to_dict(self) -> dict[str, object]:
        """Plain types for files."""
        return asdict(self) | {"levels": list(self.levels)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> HeadSettings:
        """Settings again from :meth:`to_dict`.

        Raises:
            ValueError: an unknown name or value.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(plain, Mapping):
            raise ValueError(f"a head is given as {plain!r}; expected its settings by name")
        if unknown := sorted(set(plain) - names):
            raise ValueError(f"a head has no setting {', '.join(unknown)}; expected {', '.join(sorted(names))}")
        return cls(**plain)  # type: ignore[arg-type]


class AffineHead(nn.Module):
    """A descriptor and one linear layer, into which scaling, PCA, scaling and classifier are folded.

    Args:
        settings: of the head; its kind is ``logistic`` or ``svm``.
        shapes: (T, P, D) of the tokens by level.
        num_classes: K.
    """

    def __init__(self, settings: HeadSettings, shapes: Mapping[str, Shape], num_classes: int) -> None:
        super().__init__()
        self.blocks = blocks_of(shapes, settings.levels, settings.descriptor, settings.places, settings.scale)
        self.linear = nn.Linear(sum(block.num_features(shapes[block.level]) for block in self.blocks), num_classes)

    def forward(self, tokens: Mapping[str, Tensor]) -> Tensor:
        """Tokens ``(B, T, P, D)`` by level -> logits ``(B, K)``, float32 at least."""
        x, weight = describe(tokens, self.blocks), self.linear.weight
        return F.linear(x, weight.to(x.dtype), self.linear.bias.to(x.dtype))


class LinearHead(nn.Module):
    """A descriptor, standardised by statistics of the training videos and balanced, and one trained linear layer.

    Blocks of a descriptor have the same total variance, however many features they have.

    Args:
        settings: of the head.
        shapes: (T, P, D) of the tokens by level.
        num_classes: K.
    """

    def __init__(self, settings: HeadSettings, shapes: Mapping[str, Shape], num_classes: int) -> None:
        super().__init__()
        self.blocks = blocks_of(shapes, settings.levels, settings.descriptor, settings.places, settings.scale)
        num_features = sum(block.num_features(shapes[block.level]) for block in self.blocks)
        self.norm = nn.BatchNorm1d(num_features, affine=False)
        self.register_buffer(
            "balance", block_weights([block.num_features(shapes[block.level]) for block in self.blocks])
        )
        self.linear = nn.Linear(num_features, num_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, tokens: Mapping[str, Tensor]) -> Tensor:
        """Tokens ``(B, T, P, D)`` by level -> logits ``(B, K)``."""
        return self.linear(self.norm(describe(tokens, self.blocks)) * self.balance)


def block_weights(num_features: Sequence[int]) -> Tensor:
    """Factors ``(F,)`` that give blocks of different sizes the same total variance, 1 on average."""
    mean = sum(num_features) / len(num_features)
    return torch.cat([torch.full((num,), (mean / num) ** 0.5) for num in num_features])


class AttentiveHead(nn.Module):
    """A learned query that attends to all tokens of all levels, and one linear layer.

    The probe of V-JEPA (Bardes et al.: Revisiting feature prediction for learning visual representations from video,
    TMLR 2024) and V-JEPA 2 (Assran et al. 2025), after a projection to few features, without their self-attention.

    Args:
        settings: of the head.
        shapes: (T, P, D) of the tokens by level.
        num_classes: K.
    """

    def __init__(self, settings: HeadSettings, shapes: Mapping[str, Shape], num_classes: int) -> None:
        super().__init__()
        for level in settings.levels:
            if level not in shapes:
                raise ValueError(f"there is no level {level!r}: expected one of {', '.join(shapes)}")
        self.pool = AttentivePool(
            {level: shapes[level] for level in settings.levels}, width=settings.width, num_heads=settings.num_heads
        )
        self.dropout = nn.Dropout(DROPOUT)
        self.linear = nn.Linear(settings.width, num_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, tokens: Mapping[str, Tensor], keep: Mapping[str, Tensor] | None = None) -> Tensor:
        """Tokens ``(B, T, P, D)`` by level -> logits ``(B, K)``; ``keep`` ``(B, T, P)`` bool hides tokens."""
        return self.forward_reduced(self.pool.reduce(tokens), keep)

    def forward_reduced(self, reduced: Mapping[str, Tensor], keep: Mapping[str, Tensor] | None = None) -> Tensor:
        """The same from the tokens' components, see :class:`AttentivePool`."""
        return self.linear(self.dropout(self.pool(reduced, keep)))


def build_head(settings: HeadSettings, shapes: Mapping[str, Shape], num_classes: int) -> nn.Module:
    """A head that is not fitted yet: tokens ``(B, T, P, D)`` by level -> logits ``(B, K)``.

    Raises:
        ValueError: settings that do not fit the levels.
    """
    kinds: dict[str, type[AffineHead | LinearHead | AttentiveHead]] = {
        "logistic": AffineHead,
        "svm": AffineHead,
        "linear": LinearHead,
        "attentive": AttentiveHead,
    }
    return kinds[settings.kind](settings, shapes, num_classes)


class HeadEnsemble(nn.Module):
    """Several heads as one: the logarithm of the weighted mean of their probabilities; of one head its own logits.

    Args:
        settings: of each head.
        shapes: (T, P, D) of the tokens by level.
        num_classes: K.
        weights: of each head, in whole numbers as greedy selection counts them; default: all alike.
        has_one_class: whether classes exclude each other.
    """

    def __init__(
        self,
        settings: Sequence[HeadSettings],
        shapes: Mapping[str, Shape],
        num_classes: int,
        *,
        weights: Sequence[int] | None = None,
        has_one_class: bool = True,
    ) -> None:
        super().__init__()
        self.has_one_class = has_one_class
        if not settings:
            raise ValueError("an ensemble needs at least one head")
        weights = [1] * len(settings) if weights is None else list(weights)
        if len(weights) != len(settings) or not all(isinstance(weight, int) and weight >= 1 for weight in weights):
            raise ValueError(
                f"expected an integer of at least 1 as the weight of each of {len(settings)} heads, got {weights}"
            )
        self.settings = tuple(settings)
        self.weights = tuple(weights)
        self.heads = nn.ModuleList(build_head(each, shapes, num_classes) for each in settings)

    def forward(self, tokens: Mapping[str, Tensor]) -> Tensor:
        """Tokens ``(B, T, P, D)`` by level -> logits ``(B, K)``."""
        if len(self.heads) == 1:
            return self.heads[0](tokens)
        total = sum(self.weights)
        if not self.has_one_class:
            logits = [head(tokens).float() for head in self.heads]
            logs = torch.tensor([weight / total for weight in self.weights]).log().view(-1, 1, 1)
            there, absent = F.logsigmoid(torch.stack(logits)) + logs, F.logsigmoid(-torch.stack(logits)) + logs
            return there.logsumexp(dim=0) - absent.logsumexp(dim=0)  # the logit of the mean
        shares = [
            F.log_softmax(head(tokens).float(), dim=1) + torch.tensor(weight / total).log()
            for head, weight in zip(self.heads, self.weights, strict=True)
        ]
        return torch.logsumexp(torch.stack(shares), dim=0)

    def to_dict(self) -> dict[str, object]:
        """Heads and weights in plain types, for :meth:`from_dict`."""
        return {"heads": [each.to_dict() for each in self.settings], "weights": list(self.weights)}

    @classmethod
    def from_dict(
        cls, plain: Mapping[str, object], shapes: Mapping[str, Shape], num_classes: int, *, has_one_class: bool = True
    ) -> HeadEnsemble:
        """An ensemble that is not fitted yet, from :meth:`to_dict`.

        Raises:
            ValueError: what does not describe an ensemble.
        """
        heads, weights = plain.get("heads"), plain.get("weights")
        if not isinstance(heads, list) or not isinstance(weights, list):
            raise ValueError(f"heads of a probe are given as {str(plain)[:80]}; expected the lists heads and weights")
        if len(heads) > MOST_HEADS:
            raise ValueError(f"a probe has {len(heads)} heads, expected at most {MOST_HEADS}")
        settings = [HeadSettings.from_dict(each) for each in heads]
        return cls(settings, shapes, num_classes, weights=weights, has_one_class=has_one_class)
