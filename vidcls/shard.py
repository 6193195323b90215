"""``--shard 2/3`` -> which videos of a data set one of several commands works on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shares of a list, dealt like cards: of three, the first has numbers 1, 4, 7, ... of the list.

    Together the shards have each item exactly once, and neighbours, which are often of one class, go to different ones.

    Args:
        number: which one, from 1.
        num_shards: how many there are; 1 is the whole list.
    """

    number: int = 1
    num_shards: int = 1

    def __post_init__(self) -> None:
        """Refuse shards that do not exist."""
        if not 1 <= self.number <= self.num_shards:
            raise ValueError(
                f"shard {self.number}/{self.num_shards} does not exist: expected i/n with i from 1 to n, such as 2/3"
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that is written as ``i/n``; ValueError where there is none."""
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if match is None:
            raise ValueError(f"{text!r} is not a shard: expected i/n with i from 1 to n, such as 2/3")
        return cls(int(match[1]), int(match[2]))

    @property
    def is_whole(self) -> bool:
        """Whether there is only one."""
        return self.num_shards == 1

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those of the list that are in this shard, in order."""
        return items[self.number - 1 :: self.num_shards]

    def __str__(self) -> str:
        return f"{self.number}/{self.num_shards}"


WHOLE = Shard()
