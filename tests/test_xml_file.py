"""XML within limits: what could stand for more than it says is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.xml_file import MAX_XML_DEPTH, read_xml

BILLION = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10))
HOSTILE = {
    "document type": f'<!DOCTYPE a [<!ENTITY l0 "lol">{BILLION}]><a>&l9;</a>',
    "document type or": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "nested more than": "<a>" * (MAX_XML_DEPTH + 1),
    "is not XML": "<a><b></a>",
    "no element found": "",
    "more than 1,000 bytes": f"<a>{'x' * 1000}</a>",
}


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_xml_is_refused_in_one_line(tmp_path: Path, words: str) -> None:
    (tmp_path / "a.xml").write_text(HOSTILE[words])
    limit = 1000 if "bytes" in words else None
    with pytest.raises(ValueError, match=words) as error:
        read_xml(tmp_path / "a.xml", start=lambda *_: None, end=lambda *_: None, max_bytes=limit)
    assert "\n" not in str(error.value)


def test_elements_come_with_what_is_around_them(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text('<a><b x="1">one</b><c/> two </a>')
    begun: list[object] = []
    ended: list[object] = []
    read_xml(tmp_path / "a.xml", start=lambda *each: begun.append(each), end=lambda *each: ended.append(each))
    assert begun == [(("a",), {}), (("a", "b"), {"x": "1"}), (("a", "c"), {})]
    assert ended == [(("a", "b"), "one"), (("a", "c"), ""), (("a",), "two")]
