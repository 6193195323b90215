"""What can name classes."""

from __future__ import annotations

import pytest

from vidcls import class_names
from vidcls.class_names import MAX_NAME_LENGTH, checked_class_names


@pytest.mark.parametrize(
    "names", [["a"], ["left", "right"], ("a b", "c,d"), ["Ünï", "👩‍🚀", "\udcff"], ["a" * MAX_NAME_LENGTH]]
)
def test_names_of_one_line_are_taken_in_their_order(names: list[str]) -> None:
    assert checked_class_names(names) == tuple(names)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("abc", "class names must be a list of text, got 'abc'"),
        (None, "class names must be a list of text, got None"),
        ({"a": 1}, "class names must be a list of text, got dict"),
        (["a", 1], "class names must be text, got 1"),
        (["a", None], "class names must be text, got None"),
        (["a", ["b"]], "class names must be text, got list"),
        (["a", b"b"], "class names must be text, got bytes"),
        (["a", ""], f"a class name must have 1 to {MAX_NAME_LENGTH} characters, got ''"),
        (["a", " "], f"a class name must have 1 to {MAX_NAME_LENGTH} characters, got ' '"),
        (["a", "b" * (MAX_NAME_LENGTH + 1)], f"a class name must have 1 to {MAX_NAME_LENGTH} characters, got 'bbb"),
        (["a", "b\nc"], r"the class name 'b\nc' has a line break or another control character"),
        (["a", "\x1b[2J"], r"the class name '\x1b[2J' has a line break"),
        (["a", "b\u2028c"], r"the class name 'b\u2028c' has a line break"),
        (["a", "b\x00"], r"the class name 'b\x00' has a line break"),
        (["a", "b", "a"], "the class name 'a' stands twice in the list"),
    ],
)
def test_what_cannot_name_classes_is_said_in_one_short_line(names: object, words: str) -> None:
    with pytest.raises(ValueError) as error:
        checked_class_names(names)
    assert words in str(error.value)
    assert len(str(error.value)) < 200
    assert str(error.value).isprintable()


def test_more_names_than_any_data_set_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_names, "MAX_CLASSES", 3)
    checked_class_names(["a", "b", "c"])
    with pytest.raises(ValueError, match="there are 4 class names, at most 3 are allowed"):
        checked_class_names(["a", "b", "c", "d"])
