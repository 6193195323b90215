"""Fusion that is fitted: a linear support vector machine on the parts' probabilities."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.tasks import Task

UNSEEN_CLASS_SCORE = -1e4  # below every decision value: a class without training videos is never the answer


class SvmFusion(nn.Module):
    """A linear SVM on the stacked, L2-normalised softmax scores of P parts (Simonyan and Zisserman 2014, section 5).

    Its coefficients are buffers, so they live in the checkpoint; before :meth:`fit` it answers with all zeros.
    ``answers`` says whether it was fitted, like the buffer ``is_fitted``, but as a plain value: a branch on a buffer
    waits for the GPU, and breaks the graph of a compiled or exported model.

    Args:
        num_parts: P.
        task: one in which a video has exactly one class; of any other it is never fitted.
    """

    weight: Tensor
    bias: Tensor
    is_fitted: Tensor

    def __init__(self, num_parts: int, task: Task) -> None:
        super().__init__()
        self.task = task
        num_classes = task.num_classes
        self.register_buffer("weight", torch.zeros(num_classes, num_parts * num_classes))
        self.register_buffer("bias", torch.zeros(num_classes))
        self.register_buffer("is_fitted", torch.tensor(False))
        self.answers = False

    def forward(self, logits: Tensor) -> Tensor:
        """Logits ``(P, B, K)`` -> decision values ``(B, K)``."""
        features = stacked_scores(self.task.probabilities(logits))
        return F.linear(features, self.weight.float(), self.bias.float())  # whatever precision the model is in

    def fit(self, probabilities: Tensor, labels: Tensor) -> None:
        """Fit to ``(P, N, K)`` probabilities of training videos and their ``(N,)`` labels, one class against all."""
        from sklearn.svm import LinearSVC

        features = stacked_scores(probabilities).cpu().numpy()
        machine = LinearSVC(C=1.0, random_state=0).fit(features, labels.cpu().numpy())
        weight, bias = torch.zeros_like(self.weight), torch.full_like(self.bias, UNSEEN_CLASS_SCORE)
        coefficients, offsets = torch.from_numpy(machine.coef_), torch.from_numpy(machine.intercept_)
        if len(coefficients) == 1:  # two classes: scikit-learn keeps the second one's plane alone
            coefficients, offsets = torch.cat([-coefficients, coefficients]), torch.cat([-offsets, offsets])
        seen = torch.from_numpy(machine.classes_).to(self.weight.device)
        weight[seen], bias[seen] = coefficients.to(weight), offsets.to(bias)
        self.weight.copy_(weight)
        self.bias.copy_(bias)
        self.is_fitted.fill_(True)
        self.answers = True

    def forget(self) -> None:
        """Go back to where nothing was fitted."""
        self.is_fitted.fill_(False)
        self.answers = False

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: object) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        if f"{prefix}is_fitted" in state_dict:
            self.answers = bool(state_dict[f"{prefix}is_fitted"])


def stacked_scores(probabilities: Tensor) -> Tensor:
    """Probabilities ``(P, B, K)`` -> features ``(B, P * K)``, each part's scores of unit length."""
    return F.normalize(probabilities, dim=-1).transpose(0, 1).flatten(start_dim=1)
