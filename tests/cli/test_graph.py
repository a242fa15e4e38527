"""The graph in each language, with names that try to break out of it."""

import json
import shutil
import subprocess

import pytest

from milo.cli.commands.graph import to_dot, to_json, to_mermaid
from milo.pipeline import Phase, Pipeline

NASTY = 'a"]; x --> y\\N <b>&amp; `c` #quot; end'


def build(name: str = "b") -> Pipeline:
    return Pipeline(
        'p"\\',
        Phase("a", handler=lambda: None),
        Phase(name, handler=lambda: None, depends_on=("a",), parallel=True),
    )


def test_mermaid_has_a_node_a_phase_and_an_arrow_a_dependency() -> None:
    assert to_mermaid(build()).splitlines() == [
        "flowchart LR",
        '    n0["a"]',
        '    n1("b")',
        "    n0 --> n1",
    ]


def test_mermaid_labels_hold_no_character_with_a_meaning() -> None:
    line = to_mermaid(build(NASTY)).splitlines()[2]
    label = line.removeprefix('    n1("').removesuffix('")')
    assert not set(label) & set('"<>&`[](){}|\\')


def test_dot_escapes_quotes_backslashes_and_entities() -> None:
    assert 'label="a\\"]; x --&gt; y\\\\N &lt;b&gt;&amp;amp; `c` #quot; end", style=rounded' in to_dot(
        build(NASTY)
    )


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
def test_graphviz_reads_the_dot_text() -> None:
    subprocess.run(["dot", "-Tsvg"], input=to_dot(build(NASTY)), text=True, check=True, capture_output=True)


def test_json_names_every_phase_with_what_it_needs() -> None:
    graph = json.loads(to_json(build(NASTY)))
    assert graph["pipeline"] == 'p"\\'
    assert graph["phases"][1] == {
        "name": NASTY,
        "description": "",
        "depends_on": ["a"],
        "parallel": True,
        "weight": 1,
    }
