"""A run -> the section of its page on labels that are probably wrong, and its table."""

from __future__ import annotations

from dataclasses import dataclass

from vidcls.runs.calibration import at_temperature
from vidcls.runs.held_out import HeldOut
from vidcls.runs.label_issues import LabelIssue, label_issues
from vidcls.runs.results import ScoredVideos
from vidcls.runs.run import RunFolder
from vidcls.types import MODEL_ROW


@dataclass(frozen=True)
class ListedVideos:
    """Videos whose labels were looked at.

    Args:
        name: of these videos in the table: ``validation``, ``training`` or ``test``.
        words: what they are, as part of a sentence.
        videos: their scores.
        issues: those that are probably wrong, the least probable label first.
    """

    name: str
    words: str
    videos: ScoredVideos
    issues: list[LabelIssue]


def listed_videos(run: RunFolder, held_out: HeldOut | None) -> list[ListedVideos]:
    """Held-out videos of the training, and then those of the test, which the network was not trained on either.

    Thresholds come from the former alone, so that nothing is chosen on the test. None where no scores of held-out
    videos were kept, or a video may have several classes.

    Args:
        run: was tested.
        held_out: scores of its validation, as the network gives them.
    """
    if held_out is None or not held_out.videos.task.has_one_class:
        return []
    own, facts = held_out.videos, held_out.facts
    found = [
        ListedVideos("training" if facts.is_cross_validated else "validation", facts.words, own, label_issues(own))
    ]
    unread = {video["path"] for video in run.summary.get("unread", ())}
    tested = run.videos.without(unread)
    if len(tested) and tested.class_names == own.class_names and not set(tested.paths) & set(own.paths):
        applied = (run.summary.get("temperature") or {}).get(MODEL_ROW, 1.0)
        tested = at_temperature(tested, 1 / applied)  # as those of the validation are
        words = f"{len(tested)} test videos, by thresholds of the others"
        found.append(ListedVideos("test", words, tested, label_issues(tested, own)))
    return found
