"""`milo init`: a first pipeline that runs."""

from __future__ import annotations

from pathlib import Path

import click

from milo.cli.options import debug_option
from milo.errors import TargetError

__all__ = ["command"]

_TEMPLATE = '''"""A small pipeline: run it with `milo run`, look at it with `milo graph`."""

from milo import Phase, PhasePolicy, Pipeline


def discover():
    """What a phase returns goes to the phases that depend on it."""
    return ["one", "two", "three"]


def shout(discover):
    """A parameter named like a dependency receives its result."""
    for word in discover:
        print(f"shouting {word}")  # what a phase prints is shown with its name
    return [word.upper() for word in discover]


def count(discover):
    print(f"{len(discover)} words")
    return len(discover)


def report(context):
    """Or take them all: `context` maps each dependency to its result."""
    print(f"{context['count']} words, loudly: {' '.join(context['shout'])}")


pipeline = Pipeline(
    "hello",
    Phase("discover", handler=discover, description="Find the words"),
    # With parallel=True these two run at the same time.
    Phase("shout", handler=shout, depends_on=("discover",), parallel=True),
    Phase("count", handler=count, depends_on=("discover",), parallel=True),
    # Without a policy, a failure stops the pipeline; this phase is tried twice more, half a second apart.
    Phase(
        "report",
        handler=report,
        depends_on=("shout", "count"),
        policy=PhasePolicy(on_fail="retry", max_retries=2, retry_delay=0.5),
    ),
)
'''


@click.command("init", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("directory", required=False, default=".", metavar="[DIR]", type=click.Path(file_okay=False))
@debug_option
def command(directory: str) -> None:
    """Write a small commented pipeline.py into DIR, the working directory unless it is given.

    A file that is there already is left alone.

    \b
    Example:
      milo init demo && cd demo && milo run
    """
    path = Path(directory) / "pipeline.py"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEMPLATE)
    except FileExistsError as error:
        raise TargetError(f"{path} is there already.", hint="Name another folder: milo init DIR.") from error
    except OSError as error:
        raise TargetError(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {path}. Run it: milo run{'' if directory == '.' else f' {path}'}")
