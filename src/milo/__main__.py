"""`python -m milo` is the `milo` command."""

from __future__ import annotations

from milo.cli import entry

if __name__ == "__main__":
    entry()
