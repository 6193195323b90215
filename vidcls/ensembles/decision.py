"""The validation scores of the members -> what turns the scores that they give together into an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vidcls.ensembles.members import Member
from vidcls.ensembles.weights import ValidationScores, combined
from vidcls.errors import ConfigurationError
from vidcls.runs.decision_choice import ValidationVideos, choose_decision
from vidcls.tasks.decision import NO_DECISION, Decision
from vidcls.tasks.ensemble import Ensemble
from vidcls.training.decision_settings import DecisionSettings
from vidcls.types import MODEL_ROW


@dataclass(frozen=True)
class ChosenDecision:
    """The decision of an ensemble, and what is to be said of it.

    Args:
        decision: without effect where nothing was chosen.
        lines: what was chosen, on what, or why nothing was.
    """

    decision: Decision
    lines: tuple[str, ...] = ()


def choose_for(
    members: Sequence[Member],
    ensemble: Ensemble,
    validation: Callable[[], ValidationScores],
    settings: DecisionSettings,
) -> ChosenDecision:
    """What is chosen for the answers that the members give together, on the videos that all of them validated on.

    A mean of probabilities, and more so a product, lies elsewhere than those of its members, whose own thresholds and
    temperatures it therefore cannot use: means of calibrated probabilities are underconfident (Ranjan and Gneiting:
    Combining Probability Forecasts, J. R. Stat. Soc. B 2010). Where a video may have several classes, each class gets
    a threshold if any member has some; else the trainings of the members wanted none.

    Args:
        members: of the ensemble.
        ensemble: how they answer together, with no decision yet.
        validation: the scores that it is chosen on; asked only where something is.
        settings: what is asked for.

    Raises:
        ConfigurationError: a temperature or a threshold for unknown videos is asked for, and there are no validation
            scores, or a video may have no class anyway.
    """
    several = not ensemble.task.has_one_class
    if several and settings.unknown is not None:
        raise ConfigurationError(
            f"--unknown is for videos of one class each, and in the task {ensemble.task_name} one may have none: leave "
            "it out"
        )
    has_thresholds = several and settings.thresholds and any(member.decision.thresholds for member in members)
    usual = ["thresholds by class: 0.5 for each, as in the members"] if several and not has_thresholds else []
    if not has_thresholds and not settings.is_asked:
        return ChosenDecision(NO_DECISION, tuple(usual))
    try:
        scored = validation()
    except ConfigurationError as error:
        if settings.is_asked:
            asked = {"--temperature_scaling": settings.temperature_scaling, "--unknown": settings.unknown is not None}
            options = " and ".join(option for option, is_asked in asked.items() if is_asked)
            raise ConfigurationError(f"{options}: {error}, or leave {options} out") from error
        why = f"thresholds by class: 0.5 for each, though members have others: {error}; then make the ensemble again"
        return ChosenDecision(NO_DECISION, (why,))
    decision, lines = choose_decision(
        ValidationVideos({MODEL_ROW: combined(ensemble, scored.members)}),
        temperature_scaling=settings.temperature_scaling,
        unknown=settings.unknown,
        known_share=settings.known_share,
        thresholds=has_thresholds,
    )
    hints = _of_fewer_views(members) if settings.is_asked else ()
    return ChosenDecision(decision, (*lines, *usual, *hints))


def _of_fewer_views(members: Sequence[Member]) -> Iterator[str]:
    """A hint for each member whose validation scores are means over other views than those of its test."""
    for member in members:
        facts, tested = member.held_out.facts, int(member.run.summary.get("views_per_video", 1))
        if facts.views_per_video != tested and not facts.is_cross_validated:
            yield (
                f"hint: {member.name}: its test averages {tested} views of a video, its validation scores "
                f"{facts.views_per_video}, so what is chosen may not suit the test: a member that is trained with "
                "--model.decision.temperature_scaling true scores its validation videos as its test does"
            )
