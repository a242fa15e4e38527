"""The command line: target and options in, a run with its views, an exit status out."""

from __future__ import annotations

from milo.cli.app import main

__all__ = ["main"]
