"""Scores of videos that are neither trained on nor tested -> ``validation.csv``, and back.

Temperatures, thresholds and wrong labels are derived from these, so that nothing is chosen on the test.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vidcls.errors import ConfigurationError
from vidcls.files import write_text
from vidcls.runs.folder import VALIDATION_FACTS_FILE, VALIDATION_FILE
from vidcls.runs.results import ScoredVideos
from vidcls.runs.score_files import read_scores, write_scores
from vidcls.settings_file import read_json


@dataclass(frozen=True)
class HeldOutFacts:
    """How the scores came about.

    Args:
        num_videos: N.
        class_names: K names.
        task: what the labels mean, by name.
        views_per_video: views that were averaged.
        epoch: counted from 1, whose weights scored them; None where these are those of ``best.ckpt``, at the end.
        is_cross_validated: whether they are training videos, each scored by heads that had not seen it.
    """

    num_videos: int
    class_names: tuple[str, ...]
    task: str
    views_per_video: int = 1
    epoch: int | None = None
    is_cross_validated: bool = False

    @property
    def words(self) -> str:
        """What the videos are, as part of a sentence."""
        if self.is_cross_validated:
            return f"{self.num_videos} training videos, each scored by heads that had not seen it"
        views = "one clip" if self.views_per_video == 1 else f"{self.views_per_video} views"
        return f"{self.num_videos} validation videos, {views} of each"


@dataclass(frozen=True)
class HeldOut:
    """The scores, and how they came about.

    Args:
        videos: with the scores of the model, as the network gives them.
        facts: how these came about.
    """

    videos: ScoredVideos
    facts: HeldOutFacts


def write_held_out(run: Path, videos: ScoredVideos, facts: HeldOutFacts) -> None:
    """Write both files; the scores are ignored without the facts."""
    (run / VALIDATION_FACTS_FILE).unlink(missing_ok=True)
    write_scores(run / VALIDATION_FILE, videos)
    write_text(run / VALIDATION_FACTS_FILE, json.dumps(asdict(facts), indent=2, ensure_ascii=False) + "\n")


def read_held_out(run: Path) -> HeldOut | None:
    """What a run kept; None where it kept nothing, as one of version 0.1.

    Raises:
        ConfigurationError: a file is damaged.
    """
    try:
        plain = read_json(run / VALIDATION_FACTS_FILE)
        facts = HeldOutFacts(**{**plain, "class_names": tuple(plain["class_names"])})
        videos = read_scores(run / VALIDATION_FILE, facts.class_names, facts.task)
        if len(videos) != facts.num_videos:
            raise ValueError(f"{len(videos)} of {facts.num_videos} videos")
        if len(videos.not_finite):
            raise ValueError("scores that are NaN or infinite")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigurationError(
            f"{run}: its {VALIDATION_FILE} or {VALIDATION_FACTS_FILE} is damaged ({' '.join(str(error).split())}): "
            f"vidcls validate --run {run} --ckpt_path best writes both again"
        ) from error
    return HeldOut(videos, facts)
