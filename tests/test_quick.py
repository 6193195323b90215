"""The quick tests, which tests/quick.txt lists: some of every package, and all of them exist."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
LISTED = (TESTS / "quick.txt").read_text(encoding="utf-8").split()


def test_every_package_is_among_the_quick_tests() -> None:
    packages = {folder.name for folder in (TESTS.parent / "vidcls").iterdir() if (folder / "__init__.py").is_file()}
    assert packages <= {name.split("/")[1] for name in LISTED}


def test_all_that_is_listed_exists() -> None:
    for name in LISTED:
        path, _, test = name.partition("::")
        assert (TESTS.parent / path).exists(), name
        assert not test or f"def {test}(" in (TESTS.parent / path).read_text(encoding="utf-8"), name
