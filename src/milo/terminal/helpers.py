"""Helpers: what every template can use beside its own data, whatever engine renders it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from milo.terminal.cells import clip, fit, truncate, width
from milo.terminal.style import styled
from milo.words import duration

__all__ = ["Helpers"]


class Helpers:
    """The functions of a template's environment.

    Args:
        unicode: Whether the terminal can show more than ASCII.
    """

    def __init__(self, *, unicode: bool = True) -> None:
        self._unicode = unicode

    def functions(self) -> dict[str, Callable[..., Any]]:
        """The globals of a template, by name."""
        return {
            "duration": duration,
            "hints": self.hints,
            "meter": self.meter,
            "rule": self.rule,
            "span": self.span,
            "symbol": self.symbol,
        }

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters that no engine brings along, by name."""
        return {
            "cells": width,
            "clip": clip,
            "duration": duration,
            "fit": fit,
            "shorten": truncate,
            "style": styled,
        }

    def symbol(self, wanted: str, plain: str) -> str:
        """`wanted`, or `plain` on a terminal that shows ASCII only."""
        return wanted if self._unicode else plain

    def meter(self, share: float, columns: int = 20) -> str:
        """A bar of `columns` cells of which `share`, from 0.0 to 1.0, is filled; full only when it is all."""
        columns = max(0, columns)
        share = min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0
        if not self._unicode:
            filled = math.floor(columns * share)
            return "#" * filled + "." * (columns - filled)
        halves = math.floor(2 * columns * share)
        bar = "━" * (halves // 2) + ("╸" if halves % 2 else "")
        return bar + "─" * (columns - len(bar))

    def span(self, begin: float, end: float, columns: int = 20) -> str:
        """A bar of `columns` cells that is filled from `begin` to `end`, shares of the whole from 0.0 to 1.0."""
        begin, end = (min(1.0, max(0.0, each)) for each in (begin, end))
        first = min(columns - 1, math.floor(columns * begin))
        last = max(first + 1, math.ceil(columns * end - 1e-9))
        mark = "━" if self._unicode else "="
        return (" " * first + mark * (last - first)).ljust(columns)[: max(0, columns)]

    def rule(self, columns: int, title: str = "", align: str = "right") -> str:
        """A horizontal line of `columns` cells with a title near its left or right end."""
        line = "─" if self._unicode else "-"
        title = truncate(title, max(0, columns - 4)) if title else ""
        if not title:
            return line * max(0, columns)
        rest = columns - width(title) - 4
        left, right = (2, rest + 2) if align == "left" else (rest + 2, 2)
        return f"{line * (left - 1)} {title} {line * (right - 1)}" if rest >= 0 else line * columns

    def hints(self, columns: int, keys: Iterable[tuple[str, str]]) -> str:
        """As many of the ``(key, what it does)`` pairs, the first ones first, as fit into `columns` cells."""
        line = ""
        for key, does in keys:
            hint = f"\x1b[1m{key}\x1b[0m \x1b[2m{does}\x1b[0m"
            longer = f"{line}  {hint}" if line else hint
            if width(longer) > columns:
                break
            line = longer
        return line
