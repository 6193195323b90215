"""Coordinates of the training views -> logistic regression or a linear SVM on their principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidcls.layers.probe_heads import HeadKind

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
"""Numbers of classes ``(N,)``; where videos may have several, 1 or 0 for each class ``(N, K)``."""

UNSEEN_CLASS_LOGIT = -1e4  # of a class without training videos, which is never the answer
ONE_SIDED_LOGIT = 10.0  # of a class that all training videos have; its negative where none has it
ALL_COMPONENTS_VARIANCE = 128.0  # the sum over all components where they are not scaled one by one
SMALLEST_EIGENVALUE = 1e-9  # of the largest: below is rounding
MOST_ITERATIONS = 2000
SCALES = (1e-2, 1e3)  # between which that of an SVM's decision values is sought


@dataclass(frozen=True)
class Components:
    """Principal components of some views: ``(z - mean) @ matrix`` has variance 1 in each column, or 128 in all."""

    mean: Floats  # (R,)
    matrix: Floats  # (R, k)

    def __call__(self, z: Floats) -> Floats:
        """Coordinates ``(M, R)`` -> components ``(M, k)``."""
        return (z - self.mean) @ self.matrix


def fit_components(z: Floats, num_components: int) -> Components:
    """Principal components ``(R, k)`` of coordinates ``(M, R)``; 0 for all of them in proportion to each other.

    Where the views leave fewer, there are fewer.
    """
    from scipy.linalg import eigh

    mean = z.mean(axis=0)
    centred = z - mean
    M, R = centred.shape
    if num_components == 0:
        total = (centred**2).sum() / M
        return Components(mean, np.eye(R) * np.sqrt(ALL_COMPONENTS_VARIANCE / max(total, 1e-300)))
    by_views = M < R
    products = centred @ centred.T if by_views else centred.T @ centred
    size = len(products)
    num = min(num_components, M - 1, R)
    values, vectors = eigh(products, subset_by_index=[max(size - num, 0), size - 1])
    kept = values > SMALLEST_EIGENVALUE * values[-1]
    if not kept.any():  # every video alike
        return Components(mean, np.zeros((R, 1)))
    values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
    axes = centred.T @ vectors / np.sqrt(values) if by_views else vectors
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return Components(mean, axes * signs / np.sqrt(values / M))


def fit_classifier(
    kind: HeadKind, x: Floats, labels: Labels, strength: float, num_classes: int
) -> tuple[Floats, Floats]:
    """Weights ``(k, K)`` and bias ``(K,)`` whose softmax is the probability (of an SVM: after a scale).

    Classes weigh the same, however many videos they have. Where videos may have several, each class is told from all
    else, and videos weigh the same.
    """
    if labels.ndim == 2:
        return _one_against_rest(kind, x, labels, strength)
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if kind == "logistic":
        machine = LogisticRegression(C=strength, class_weight="balanced", max_iter=MOST_ITERATIONS, tol=1e-5)
    else:
        machine = LinearSVC(
            C=strength, class_weight="balanced", max_iter=10 * MOST_ITERATIONS, random_state=0, dual=len(x) < x.shape[1]
        )
    machine.fit(x, labels)
    coefficients, offsets = machine.coef_, machine.intercept_
    if len(coefficients) == 1:  # two classes: scikit-learn keeps the second one's plane alone
        half = coefficients / 2 if kind == "logistic" else coefficients
        coefficients = np.concatenate([-half, half])
        offsets = np.concatenate([-offsets, offsets]) / (2 if kind == "logistic" else 1)
    weight, bias = np.zeros((x.shape[1], num_classes)), np.full(num_classes, UNSEEN_CLASS_LOGIT)
    weight[:, machine.classes_], bias[machine.classes_] = coefficients.T, offsets
    return weight, bias


def _one_against_rest(kind: HeadKind, x: Floats, labels: Labels, strength: float) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    weight, bias = np.zeros((x.shape[1], labels.shape[1])), np.full(labels.shape[1], -ONE_SIDED_LOGIT)
    for number, is_of_it in enumerate(labels.T):
        if is_of_it.all() or not is_of_it.any():
            bias[number] = ONE_SIDED_LOGIT if is_of_it.all() else -ONE_SIDED_LOGIT
            continue
        if kind == "logistic":
            machine = LogisticRegression(C=strength, max_iter=MOST_ITERATIONS, tol=1e-5)
        else:
            is_wide = len(x) < x.shape[1]
            machine = LinearSVC(C=strength, max_iter=10 * MOST_ITERATIONS, random_state=0, dual=is_wide)
        machine.fit(x, is_of_it)
        weight[:, number], bias[number] = machine.coef_[0], machine.intercept_[0]
    return weight, bias


def fit_scale(values: Floats, labels: Labels) -> float:
    """The factor of decision values ``(M, K)`` that makes their softmax most likely, all classes alike.

    Platt scaling with one parameter (Guo et al.: On calibration of modern neural networks, ICML 2017), and with Platt's
    targets: of n videos of a class that are all right, one more might have been any (Platt: Probabilistic outputs for
    support vector machines, 1999). The values must be of videos that were held out.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    bounds = np.log(SCALES[0]), np.log(SCALES[1])
    if labels.ndim == 2:

        def binary_loss(log_scale: float) -> float:
            scaled = np.exp(log_scale) * values
            return float((np.logaddexp(0, scaled) - labels * scaled).mean())

        return float(np.exp(minimize_scalar(binary_loss, bounds=bounds, method="bounded").x))
    seen = values[np.arange(len(labels)), labels] > UNSEEN_CLASS_LOGIT / 2
    values, labels = values[seen], labels[seen]
    if not len(labels):
        return 1.0
    counts, num_classes = np.bincount(labels)[labels], values.shape[1]
    targets = np.repeat(1 / (counts + num_classes)[:, None], num_classes, axis=1)
    targets[np.arange(len(labels)), labels] *= counts + 1

    def loss(log_scale: float) -> float:
        logs = log_softmax(np.exp(log_scale) * values, axis=1)
        return -float(((targets * logs).sum(axis=1) / counts).sum())

    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return float(np.exp(found.x))


def probabilities_of(logits: Floats, labels: Labels) -> Floats:
    """Logits ``(M, K)`` -> probabilities: softmax, or sigmoid where videos may have several classes."""
    return softmax(logits) if labels.ndim == 1 else 1 / (1 + np.exp(-logits.clip(-700, 700)))


def softmax(logits: Floats) -> Floats:
    """Logits ``(M, K)`` -> probabilities."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
