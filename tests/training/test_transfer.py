"""Settings of transfer: what they refuse, and which stage trains when."""

from __future__ import annotations

import pytest

from vidcls.training.transfer import TransferSettings


def test_without_unfreezing_nothing_thaws() -> None:
    assert TransferSettings(freeze="layer3").thawed_from(1000) is None


def test_the_latest_epoch_that_has_come_rules() -> None:
    settings = TransferSettings(freeze="layer4", unfreeze={5: "layer3", 10: "layer2"})
    assert [settings.thawed_from(epoch) for epoch in (0, 4, 5, 9, 10, 99)] == [
        None, None, "layer3", "layer3", "layer2", "layer2",
    ]  # fmt: skip


@pytest.mark.parametrize("lr_decay", [0.0, -0.5, 1.1])
def test_a_factor_outside_its_range_is_refused(lr_decay: float) -> None:
    with pytest.raises(ValueError, match=r"transfer\.lr_decay is a factor in 0 \(excluded\) to 1, got"):
        TransferSettings(lr_decay=lr_decay)


def test_unfreezing_what_was_never_frozen_is_refused() -> None:
    with pytest.raises(ValueError, match=r"transfer\.unfreeze has no effect without transfer\.freeze"):
        TransferSettings(unfreeze={3: "layer1"})


def test_unfreezing_at_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="epochs count from 1, got 0: epoch 0 is freeze"):
        TransferSettings(freeze="layer1", unfreeze={0: "layer1"})
