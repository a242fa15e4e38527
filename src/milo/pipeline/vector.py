"""Vector: a persistent array; an update copies one path of a wide tree and shares the rest.

The structure is the bit-partitioned trie of Bagwell ("Ideal Hash Trees", 2001) without the hashing, as radix-balanced
vectors use it. In pure Python 32-wide lists update faster than the C and Rust maps that were measured against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

__all__ = ["MASK", "Vector"]

_BITS: Final = 5
_WIDTH: Final = 1 << _BITS
MASK: Final = _WIDTH - 1
"""Picks the place of an index in its list."""

_new: Final = object.__new__


class Vector:
    """A fixed number of values; `set` gives a new Vector in O(log n) and leaves this one as it is."""

    __slots__ = ("_root", "_shift", "_size")

    def __init__(self, values: Sequence[Any]) -> None:
        nodes: list[Any] = [list(values[at : at + _WIDTH]) for at in range(0, len(values), _WIDTH)] or [[]]
        shift = 0
        while len(nodes) > 1:
            nodes = [nodes[at : at + _WIDTH] for at in range(0, len(nodes), _WIDTH)]
            shift += _BITS
        self._root: list[Any] = nodes[0]
        self._shift = shift
        self._size = len(values)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> Any:
        node = self._root
        shift = self._shift
        while shift:
            node = node[(index >> shift) & MASK]
            shift -= _BITS
        return node[index & MASK]

    def set(self, index: int, value: Any) -> Vector:
        """A Vector with `value` at `index`, everything else shared with this one."""
        new, node = self.opened(index)
        node[index & MASK] = value
        return new

    def opened(self, index: int) -> tuple[Vector, list[Any]]:
        """A Vector that differs from this one at `index` as soon as the list beside it has been written to.

        Reading and replacing a value walks the tree once that way: both stand in that list at ``index & MASK``.
        """
        new: Vector = _new(Vector)
        new._size = self._size
        new._shift = shift = self._shift
        node = new._root = self._root.copy()
        while shift:
            place = (index >> shift) & MASK
            node[place] = node = node[place].copy()
            shift -= _BITS
        return new, node

    def __iter__(self) -> Iterator[Any]:
        nodes: list[Any] = [self._root]
        for _ in range(0, self._shift, _BITS):
            nodes = [child for node in nodes for child in node]
        for node in nodes:
            yield from node
