"""`milo graph`: the phases and their dependencies for Mermaid, Graphviz or a program."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from milo.cli.options import debug_option, open_target, parameter_option, phases_argument
from milo.pipeline import Pipeline
from milo.pipeline.timeline import phases_to_graph

__all__ = ["command", "to_dot", "to_json", "to_mermaid"]

# Mermaid reads entity codes in labels, written with # instead of &; a backtick would begin Markdown.
_MERMAID = str.maketrans({character: f"#{ord(character)};" for character in "\"#&<>`'\\[](){}|;"})
# Graphviz reads escapes such as \N and HTML entities in labels.
_DOT = str.maketrans({'"': '\\"', "\\": "\\\\", "&": "&amp;", "<": "&lt;", ">": "&gt;"})


def to_mermaid(pipeline: Pipeline) -> str:
    """Write the graph as a Mermaid flowchart; phases that may run in parallel have round corners."""
    number = _numbers(pipeline)
    lines = ["flowchart LR"]
    for phase in pipeline.phases:
        left, right = ("(", ")") if phase.parallel else ("[", "]")
        lines.append(f'    n{number[phase.name]}{left}"{phase.name.translate(_MERMAID)}"{right}')
    for phase in pipeline.phases:
        lines += [f"    n{number[need]} --> n{number[phase.name]}" for need in phase.depends_on]
    return "\n".join(lines) + "\n"


def to_dot(pipeline: Pipeline) -> str:
    """Write the graph in Graphviz's language; phases that may run in parallel have round corners."""
    number = _numbers(pipeline)
    title = pipeline.name.translate(_DOT)
    lines = ["digraph pipeline {", f'    label="{title}";', "    rankdir=LR;", "    node [shape=box];"]
    for phase in pipeline.phases:
        style = ", style=rounded" if phase.parallel else ""
        lines.append(f'    n{number[phase.name]} [label="{phase.name.translate(_DOT)}"{style}];')
    for phase in pipeline.phases:
        lines += [f"    n{number[need]} -> n{number[phase.name]};" for need in phase.depends_on]
    return "\n".join([*lines, "}"]) + "\n"


def to_json(pipeline: Pipeline) -> str:
    """Write the graph as one JSON object."""
    return (
        json.dumps({"pipeline": pipeline.name, "phases": phases_to_graph(pipeline.phases)}, indent=2) + "\n"
    )


def _numbers(pipeline: Pipeline) -> dict[str, int]:
    # No name can clash with a keyword or break the syntax when it is a label only.
    return {phase.name: number for number, phase in enumerate(pipeline.phases)}


_FORMATS: dict[str, Callable[[Pipeline], str]] = {"mermaid": to_mermaid, "dot": to_dot, "json": to_json}


@click.command("graph", context_settings={"help_option_names": ["-h", "--help"]})
@phases_argument
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(list(_FORMATS)),
    default="mermaid",
    show_default=True,
    envvar="MILO_FORMAT",
    help="What is to read it.",
)
@parameter_option
@debug_option
def command(words: tuple[str, ...], form: str, params: tuple[str, ...]) -> None:
    """Print the graph of the phases.

    With phases after TARGET: only those, and what they need.

    \b
    Examples:
      milo graph build.py
      milo graph build.py --format dot | dot -Tsvg > graph.svg
    """
    pipeline, phases = open_target(words, params)
    if phases:
        pipeline = pipeline.subset(phases)
    click.echo(_FORMATS[form](pipeline), nl=False)
