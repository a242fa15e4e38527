"""A general terminal runtime: keys in, screens out; knows no pipelines."""

from milo.terminal.app import App
from milo.terminal.keys import KEY, RESIZE, Key, SpecialKey

__all__ = ["KEY", "RESIZE", "App", "Key", "SpecialKey"]
