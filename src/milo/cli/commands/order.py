"""`milo order`: the phases in the order of their dependencies."""

from __future__ import annotations

import click

from milo.cli.options import debug_option, open_target, parameter_option, phases_argument

__all__ = ["command"]


@click.command("order", context_settings={"help_option_names": ["-h", "--help"]})
@phases_argument
@parameter_option
@debug_option
def command(words: tuple[str, ...], params: tuple[str, ...]) -> None:
    """Print the phases in the order of their dependencies, one a line.

    With phases after TARGET: only those, and what they need.

    \b
    Example:
      milo order build.py
    """
    pipeline, phases = open_target(words, params)
    if phases:
        pipeline = pipeline.subset(phases)
    click.echo("".join(f"{name}\n" for name in pipeline.execution_order()), nl=False)
