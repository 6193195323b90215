"""The scored videos of a test -> in words whether its probabilities can be believed, and why they come out so."""

from __future__ import annotations

from vidcls.runs.results import ScoredVideos

NEAR = 0.02  # confidence and accuracy that are nearer to each other than that are called equal
_OF_MEAN = (
    "mean of the streams' probabilities: it cannot be surer than the surer stream, and a stream that is unsure lowers "
    "it however right the other is."
)
OF_FUSION = {
    "product": (
        "The answer is the product of the streams: the geometric mean of their probabilities, made to add up to 1. "
        "Where streams are sure of different classes no class gets much, so that such an answer is often less sure "
        "than it is right: it puts videos in order, but is not the share of them that is right."
    ),
    "mean": f"The answer is the {_OF_MEAN}",
    "weighted": f"The answer is a weighted {_OF_MEAN}",
    "svm": (
        "The answer is that of a support vector machine: its probabilities are a softmax over distances from planes, "
        "which put classes in order but were never fitted to be probabilities."
    ),
}


def calibration_words(videos: ScoredVideos, fusion: object) -> str:
    """One sentence on the test as a whole, and one on the fusion of streams where there is one."""
    confidence, accuracy = float(videos.confidence.mean()), float(videos.is_correct.mean())
    difference = confidence - accuracy
    verdict = "about as sure as it is right" if abs(difference) < NEAR else ""
    verdict = verdict or ("surer than it is right" if difference > 0 else "less sure than it is right")
    words = (
        f"On the whole it is {verdict}: its mean confidence is {100 * confidence:.1f} %, and "
        f"{100 * accuracy:.1f} % of its answers are right."
    )
    return " ".join([words, *([OF_FUSION[fusion]] if isinstance(fusion, str) and fusion in OF_FUSION else [])])
