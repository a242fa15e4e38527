"""Numbers as options take them: how many, and how long; what is none is refused in words of what is wanted."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["COUNT", "SECONDS"]


class _Count(click.IntRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"must be a whole number of at least {self.min}, got {str(value)!r}.", param, ctx)


class _Seconds(click.FloatRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            seconds = super().convert(value, param, ctx)
        except click.BadParameter:
            seconds = math.nan
        if not math.isfinite(seconds):
            self.fail(f"must be a finite number of seconds of at least 0, got {str(value)!r}.", param, ctx)
        return seconds


COUNT = _Count(min=1)
SECONDS = _Seconds(min=0)
