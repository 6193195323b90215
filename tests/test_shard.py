from __future__ import annotations

import pytest

from vidcls.shard import WHOLE, Shard


@pytest.mark.parametrize("num_items", [0, 1, 2, 7, 22])
def test_shards_together_have_each_item_once_and_are_of_one_size(num_items: int) -> None:
    items = list(range(num_items))
    assert WHOLE.of(items) == items
    for num_shards in range(1, 10):
        dealt = [Shard(number, num_shards).of(items) for number in range(1, num_shards + 1)]
        assert sorted(item for shard in dealt for item in shard) == items
        assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_neighbours_go_to_different_shards() -> None:
    assert [*Shard(1, 3).of("abcdefg")] == ["a", "d", "g"]
    assert [*Shard(3, 3).of("abcdefg")] == ["c", "f"]


def test_a_shard_is_written_as_it_is_read() -> None:
    assert Shard.parse("2/3") == Shard(2, 3)
    assert str(Shard(2, 3)) == "2/3"
    assert Shard.parse("1/1").is_whole


@pytest.mark.parametrize(
    "text", ["0/3", "4/3", "a/b", "", "1", "1/", "/3", "1/0", "-1/3", "1/3/3", " 1/3", "1.0/3", "١/٣"]
)
def test_what_is_no_shard_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected i/n with i from 1 to n, such as 2/3"):
        Shard.parse(text)
