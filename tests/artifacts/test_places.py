from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.artifacts.places import path_inside, place_inside
from vidcls.errors import DatasetError


def test_a_name_is_a_place_below_the_folder(tmp_path: Path) -> None:
    assert path_inside(tmp_path, "a/b.avi", ".flow") == tmp_path / "a" / "b.avi.flow"
    assert place_inside(tmp_path, "a/b.avi") == tmp_path / "a" / "b.avi"


@pytest.mark.parametrize("name", ["../x", "/x", "", "a/../../x"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="leads out of the folder"):
        path_inside(tmp_path, name)


def test_nothing_is_written_through_a_link_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a").symlink_to(tmp_path)
    assert path_inside(tmp_path / "root", "a/b")
    with pytest.raises(DatasetError, match="is a link that leads out of"):
        place_inside(tmp_path / "root", "a/b")
