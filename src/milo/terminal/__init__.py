"""A general terminal runtime: keys in, screens out; knows no pipelines."""

from milo.terminal.keys import KEY, RESIZE, Key, SpecialKey

__all__ = ["KEY", "RESIZE", "Key", "SpecialKey"]
