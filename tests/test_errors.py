"""Names in messages: all of a few, some of thousands."""

from __future__ import annotations

import pytest

from vidcls.errors import ConfigurationError, DatasetError, listed, unlike
from vidcls.loading.argument_checks import check_swaps, matched
from vidcls.training.losses import LossSettings, weights_by_name
from vidcls.transforms import TransformSettings

MANY = [f"class_{number:04}" for number in range(3000)]


def test_a_few_names_are_listed_whole_and_of_many_the_first_twelve() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(MANY[:12]).endswith("class_0011")
    assert listed(MANY).endswith("class_0010, class_0011, ... (3000 in all)")


def test_of_two_long_lists_the_names_from_the_first_difference_on_are_listed() -> None:
    other = [*MANY[:2000], "new", *MANY[2000:]]
    known, found = unlike(MANY, other)
    assert known.startswith("['class_2000', 'class_2001'")
    assert known.endswith("(3000 in all, from number 2000 on)]")
    assert found.startswith("['new', 'class_2000'")
    assert unlike(["a"], ["a", "b"]) == ("['a']", "['a', 'b']")
    assert unlike(MANY[:20], MANY)[0] == "['class_0019', ... (20 in all, from number 19 on)]"


def test_messages_about_thousands_of_classes_are_short() -> None:
    with pytest.raises(ValueError, match="'nope', which is no class: use class_0000") as unknown:
        weights_by_name(MANY, LossSettings(class_weights={"nope": 2.0}))
    with pytest.raises(ConfigurationError, match="'nope', which is no class") as swapped:
        check_swaps(TransformSettings(flip_label_swaps={"nope": "class_0001"}), MANY)
    with pytest.raises(DatasetError, match="the class 'nope', which the model does not know") as beyond:
        matched(MANY, ["nope"])
    assert max(len(str(error.value)) for error in (unknown, swapped, beyond)) < 400
