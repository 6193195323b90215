"""The scored videos of a test -> in words whether its probabilities can be believed, and why they come out so."""

from __future__ import annotations

from vidcls.runs.results import ScoredVideos

NEAR = 0.02  # confidence and accuracy that are nearer to each other than that are called equal
_OF_MEAN = (
    "mean of the streams' probabilities: it cannot be more confident than the more confident stream, and a stream that "
    "is unsure lowers it, however right the other is."
)
WORDS = {
    True: "its mean confidence is {:.1f} %, and {:.1f} % of its answers are right",
    False: "the mean probability of a class in a video is {:.1f} %, and {:.1f} % of these classes are there",
}
"""By whether a video has one class."""
OF_FUSION = {
    "product": (
        "The answer is the product of the streams: the geometric mean of their probabilities, made to add up to 1 (of "
        "each class and its absence, where a video may have several). Where streams are sure of different classes no "
        "class gets much, so that such an answer is often underconfident: it puts videos in order, but is not the "
        "share of them that is right."
    ),
    "mean": f"The answer is the {_OF_MEAN}",
    "weighted": f"The answer is a weighted {_OF_MEAN}",
    "svm": (
        "The answer is that of a support vector machine: its probabilities are a softmax over distances from planes, "
        "which put classes in order but were never fitted to be probabilities."
    ),
}


def calibration_words(videos: ScoredVideos, fusion: object, *, of_members: bool = False) -> str:
    """One sentence on the test as a whole, and one on the fusion of streams where there is one.

    Args:
        videos: as they were tested.
        fusion: by which streams answer together; None for one stream.
        of_members: whether what answers together are the members of an ensemble.
    """
    claimed, is_true = videos.task.claims(videos.scores, videos.labels)
    confidence, accuracy = float(claimed.mean()), float(is_true.mean())
    difference = confidence - accuracy
    verdict = "about as confident as it is accurate" if abs(difference) < NEAR else ""
    verdict = verdict or ("overconfident" if difference > 0 else "underconfident")
    words = (
        f"On the whole it is {verdict}: {WORDS[videos.task.has_one_class].format(100 * confidence, 100 * accuracy)}."
    )
    if not isinstance(fusion, str) or fusion not in OF_FUSION:
        return words
    of_fusion = OF_FUSION[fusion]
    return f"{words} {of_fusion.replace('stream', 'member') if of_members else of_fusion}"
