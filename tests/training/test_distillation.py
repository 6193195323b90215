"""The loss of a distilled network is Hinton's, worked out in NumPy; its gradient is the closed form of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidcls.tasks import SingleLabel
from vidcls.training.distillation import DistillationSettings, Teacher

CLASSES = ("a", "b", "c")


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("temperature", "alpha"), [(1.0, 0.5), (4.0, 0.9), (2.0, 1.0)])
def test_the_loss_and_its_gradient_are_those_of_the_paper(temperature: float, alpha: float) -> None:
    generator = np.random.default_rng(0)
    teacher_logits, student = generator.normal(size=(5, 3)) * 2, generator.normal(size=(4, 3))
    index, labels = np.array([4, 0, 2, 1]), np.array([0, 2, 1, 1])
    task = SingleLabel(CLASSES)
    teacher = Teacher(softmax(teacher_logits), task, DistillationSettings(temperature, alpha))

    logits = torch.from_numpy(student).requires_grad_()
    weights = torch.ones(3, dtype=torch.float64)
    loss = teacher.loss(
        logits,
        torch.from_numpy(index),
        lambda found: task.loss(found, torch.from_numpy(labels), weights=weights, label_smoothing=0.0),
    )
    loss.backward()

    soft = softmax(teacher_logits[index] / temperature)  # the scores are given, their logits up to a constant
    cool = softmax(student / temperature)
    hard = np.eye(3)[labels]
    of_teacher = -(soft * np.log(cool)).sum(axis=1).mean()
    of_labels = -(hard * np.log(softmax(student))).sum(axis=1).mean()
    assert loss.item() == pytest.approx(alpha * temperature**2 * of_teacher + (1 - alpha) * of_labels, abs=1e-5)
    expected = alpha * temperature * (cool - soft) + (1 - alpha) * (softmax(student) - hard)
    assert logits.grad is not None
    assert np.abs(logits.grad.numpy() - expected / 4).max() < 1e-5


@pytest.mark.parametrize(("temperature", "alpha"), [(0.0, 0.5), (1.0, 0.0), (1.0, 1.5), (float("inf"), 0.5)])
def test_settings_outside_their_range_are_refused(temperature: float, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"temperature|alpha"):
        DistillationSettings(temperature, alpha)
