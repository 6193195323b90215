"""Which stages of a network with given weights are trained, from when on, how fast, and in how much memory."""

from __future__ import annotations

from dataclasses import dataclass, field

ALL_STAGES = "all"


@dataclass(frozen=True)
class TransferSettings:
    """What is kept of the weights that a network starts from.

    Args:
        freeze: the last stage, counted from the input, that keeps its weights; all up to there stays in evaluation mode
            (batch normalisation above all). ``all`` keeps every stage and trains what comes after them; ``read_out``
            keeps the layers between the last maps and the classifier too.
        unfreeze: epoch (from 1) -> the first stage that is trained from then on, with all after it, such as
            ``{5: layer4, 10: layer3}``.
        lr_decay: factor on the learning rate from each stage to the one before it, so that early stages move less.
        partial_batch_norm: all batch normalisations of a backbone but the first keep their statistics (Wang et al.:
            Temporal Segment Networks, ECCV 2016, section 3.2).
        gradient_checkpointing: keep what goes from stage to stage alone, and compute the rest again on the way back:
            less memory, a quarter to a third more time (Chen et al.: Training Deep Nets with Sublinear Memory Cost,
            2016).
        drop_path: chance by which a training sample skips the branch of the last residual block; blocks before it have
            less, in proportion to their depth (stochastic depth, Huang et al. 2016).
    """

    freeze: str | None = None
    unfreeze: dict[int, str] = field(default_factory=dict)
    lr_decay: float = 1.0
    partial_batch_norm: bool = False
    gradient_checkpointing: bool = False
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values outside their range and settings without effect."""
        if not 0 < self.lr_decay <= 1:
            raise ValueError(f"transfer.lr_decay is a factor in 0 (excluded) to 1, got {self.lr_decay}")
        if not 0 <= self.drop_path < 1:
            raise ValueError(f"transfer.drop_path is a chance in 0 to 1 (excluded), got {self.drop_path}")
        if self.unfreeze and self.freeze is None:
            raise ValueError("transfer.unfreeze has no effect without transfer.freeze: set both, or remove it")
        if any(epoch < 1 for epoch in self.unfreeze):
            raise ValueError(f"transfer.unfreeze: epochs count from 1, got {min(self.unfreeze)}: epoch 0 is freeze")

    def thawed_from(self, epoch: int) -> str | None:
        """The first stage that ``unfreeze`` has made trainable by ``epoch``; None before the first such epoch."""
        past = [start for start in self.unfreeze if start <= epoch]
        return self.unfreeze[max(past)] if past else None
