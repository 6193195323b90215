from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.artifacts.failures import FAILURES_NAME, write_failures


def test_failures_of_shards_add_up_and_each_shard_replaces_its_own(tmp_path: Path) -> None:
    file = tmp_path / FAILURES_NAME
    write_failures(tmp_path, [("c", "why")], done={"a", "c"})
    assert write_failures(tmp_path, [("b", "why")], done={"b", "d"}) == [("b", "why"), ("c", "why")]
    assert file.read_text() == "name,reason\nb,why\nc,why\n"
    write_failures(tmp_path, [], done={"a", "c"})
    assert file.read_text() == "name,reason\nb,why\n"
    write_failures(tmp_path, [("x", "of all")])
    assert file.read_text() == "name,reason\nx,of all\n"
    write_failures(tmp_path, [])
    assert not file.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"other,columns\n1,2\n", b'name,reason\n"a'])
def test_a_damaged_list_is_written_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FAILURES_NAME).write_bytes(content)
    write_failures(tmp_path, [("b", "why")], done={"b"})
    assert "b,why\n" in (tmp_path / FAILURES_NAME).read_text()
