"""Links from a page to videos, and names that are broken where a reader would break them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from vidcls.report.links import file_name, link_to


def test_a_link_leads_from_the_folder_of_the_page_to_the_file(tmp_path: Path) -> None:
    video = tmp_path / "my videos" / "50 % <a>#?.mp4"
    video.parent.mkdir()
    video.touch()
    link = link_to(video, tmp_path / "runs" / "a" / "report.html")
    assert link is not None
    assert not set('<>#?" ') & set(link)
    assert (tmp_path / "runs" / "a" / unquote(link)).resolve() == video.resolve()


def test_what_is_no_file_has_no_link(tmp_path: Path) -> None:
    assert link_to(None, tmp_path / "report.html") is None
    assert link_to(tmp_path / "gone.mp4", tmp_path / "report.html") is None


def test_a_file_name_is_broken_between_its_words_alone() -> None:
    assert file_name("walk/cam_1/2020-06_a.mp4") == (
        'walk/<wbr>cam_<wbr>1/<span class="name">2020-<wbr>06_<wbr>a.mp4</span>'
    )
    assert file_name("<b>.mp4") == '<span class="name">&lt;b&gt;.mp4</span>'
