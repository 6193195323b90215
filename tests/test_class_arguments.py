"""What a class takes: also what it hands on to its base."""

from __future__ import annotations

import pytest

from vidcls import models
from vidcls.class_arguments import arguments_of, types_of
from vidcls.models import VideoClassifier


class Plain(VideoClassifier):
    """One that takes what it takes and no more."""

    def __init__(self, *, class_names: list[str], depth: int = 3) -> None: ...


COMMON = ["class_names", "clip", "task", "optimization", "loss", "transfer", "decision"]


@pytest.mark.parametrize("name", ["SingleFrame", "TwoStream", "Conv3D"])
def test_a_model_takes_its_own_and_what_every_model_takes(name: str) -> None:
    found = [*arguments_of(getattr(models, name))]
    assert found[-len(COMMON) :] == COMMON
    assert "dropout" in found


def test_a_class_that_hands_nothing_on_takes_its_own_alone() -> None:
    assert [*arguments_of(Plain)] == ["class_names", "depth"]
    assert arguments_of(Plain)["depth"].default == 3


def test_the_types_too_are_those_of_both() -> None:
    types = types_of(models.TwoStream)
    assert (types["dropout"], types["class_names"]) == (float, list[str])
    assert set(arguments_of(models.TwoStream)) < set(types)


def test_a_function_takes_what_it_says() -> None:
    assert [*arguments_of(arguments_of)] == ["found"]
