"""Templates are found by name and say what is wrong with them; the bundled ones stay in the common subset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import nodes

from milo.errors import MiloError, StateError
from milo.terminal.helpers import Helpers
from milo.terminal.style import style_filters
from milo.terminal.templates import TemplateError, bundled_folder, load_template

HELPERS = Helpers()


def render(template: str, folder: Path | None = None, engine: str = "jinja", **context: Any) -> str:
    folders = [folder] if folder else []
    return load_template(template, folders, engine, HELPERS.functions(), HELPERS.filters())(context)


def refused(
    template: str, folder: Path | None = None, context: Mapping[str, Any] | None = None
) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(template, folder, **(context or {}))
    return caught.value


def test_a_name_is_looked_up_in_the_folders_and_then_among_the_bundled(tmp_path: Path) -> None:
    assert "pipeline.kida" in {path.name for path in bundled_folder().iterdir()}
    (tmp_path / "pipeline.kida").write_text("mine {{ x }}")
    assert render("pipeline.kida", tmp_path, x=1) == "mine 1"


@pytest.mark.parametrize("text", ["a\nb", "{{ 'a\nb' }}", "{% if true %}a\nb{% endif %}"])
def test_a_text_is_a_template_itself(text: str) -> None:
    assert render(text) == "a\nb"


def test_a_template_that_is_nowhere_names_the_folders_and_the_nearest(tmp_path: Path) -> None:
    error = refused("pipelin.kida", tmp_path)
    assert str(tmp_path) in error.message
    assert error.hint == "Did you mean 'pipeline.kida'?"
    assert isinstance(error, MiloError)
    assert refused("nothing like it").hint == "Name its folder: App(templates=FOLDER)."


def test_a_template_that_another_one_asks_for_is_named_with_it(tmp_path: Path) -> None:
    (tmp_path / "outer").write_text("{% include 'inner' %}")
    assert "'inner', which outer asks for," in refused("outer", tmp_path).message


@pytest.mark.parametrize(
    ("text", "line", "problem", "hint"),
    [
        ("a\n{{ colour }}", 2, "'colour' is undefined", "Did you mean 'color'?"),
        ("a\n\n{{ x|redd }}", 3, "No filter named 'redd'", "Did you mean 'red'?"),
        ("a\n{{ x.foo }}", 2, "'int object' has no attribute 'foo'", ""),
        ("a\n{{ 1 / 0 }}", 2, "ZeroDivisionError: division by zero", ""),
        ("a\n{% for y in x %}", 2, "Unexpected end of template", ""),
        ("{{ x }}\n{% if x %}\n{% end %}", 3, "unknown tag 'end'", "It looks like a Kida template"),
        ("{{ x }}\n{% def f() %}", 2, "unknown tag 'def'", 'App(engine="kida")'),
        ("a\n{{ x ?? 1 }}", 2, "unexpected char '?'", "It looks like a Kida template"),
        ("a\n{{ 'x'|fg('rot') }}", 2, "'rot' is not a colour", ""),
    ],
)
def test_an_error_names_file_line_and_what_is_wrong(
    tmp_path: Path, text: str, line: int, problem: str, hint: str
) -> None:
    (tmp_path / "view.kida").write_text(text)
    error = refused("view.kida", tmp_path, {"x": 1, "color": 2})
    assert error.line == line
    assert error.message.startswith(f"{tmp_path / 'view.kida'}, line {line}: ")
    assert problem in error.message
    assert f"The line reads: {text.splitlines()[line - 1]}" in error.message
    assert hint in error.hint
    assert bool(error.hint) == bool(hint)
    inline = refused(text, None, {"x": 1, "color": 2})
    assert (inline.name, inline.line) == ("<template>", line)


def test_an_error_in_an_included_template_is_told_there(tmp_path: Path) -> None:
    (tmp_path / "outer").write_text("one\n{% include 'inner' %}")
    (tmp_path / "inner").write_text("\n\n{{ missing }}")
    error = refused("outer", tmp_path)
    assert (error.name, error.line) == (str(tmp_path / "inner"), 3)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(StateError, match="engine must be one of jinja, kida, got 'mako'"):
        render("{{ x }}", engine="mako")


# --- the subset that Jinja and Kida render alike ---

_SAME = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.For,
    nodes.Assign,
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Call,
    nodes.CondExpr,
    nodes.Dict,
    nodes.Pair,
    nodes.List,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.FloorDiv,
    nodes.Include,
)
# Those of both engines that do the same; `truncate`, `pad`, `format` and others are in both and differ.
_SAME_FILTERS = {"int", "min", "max", "join", "length", *HELPERS.filters(), *style_filters()} - {"fg", "bg"}


@pytest.mark.parametrize("path", sorted(bundled_folder().iterdir()), ids=lambda path: path.name)
def test_bundled_templates_use_only_what_both_engines_render_alike(path: Path) -> None:
    """No tests, macros, set blocks, keyword arguments or filters that differ; names are set where they are used."""
    source = path.read_text("utf-8")
    tree = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(source)
    for node in tree.find_all(nodes.Node):
        assert isinstance(node, _SAME), (
            f"{path.name}, line {node.lineno}: {type(node).__name__} may differ in Kida"
        )
        if isinstance(node, nodes.Filter):
            assert node.name in _SAME_FILTERS, (
                f"{path.name}, line {node.lineno}: |{node.name} differs in Kida"
            )
        if isinstance(node, nodes.Call | nodes.Filter):
            assert not node.kwargs, f"{path.name}, line {node.lineno}: keyword arguments"
        if isinstance(node, nodes.For):
            assert not node.recursive
        if isinstance(node, nodes.If):
            inside = [*node.body, *node.else_]
            assert not any(isinstance(each, nodes.Assign) for each in inside), (
                f"{path.name}, line {node.lineno}: Kida keeps the name in the block"
            )
    assert "{#-" not in source, "Kida does not trim around comments"
    assert "-#}" not in source


def test_bundled_templates_are_the_same_to_the_byte_in_kida() -> None:
    """Where Kida is installed (Python 3.14)."""
    pytest.importorskip("kida")
    from tests.pipeline.test_picture import RUN, PipelineViewState, picture

    assert picture() is not None
    for fields in ({}, {"expanded": True, "selected_phase": 3}, {"filter": "2", "filtering": True}):
        for columns, rows in ((80, 24), (40, 10), (120, 30)):
            for tty in (True, False):
                context = {"state": PipelineViewState(RUN, **fields), "columns": columns, "rows": rows}
                frames = {
                    render("pipeline.kida", None, engine, **context, tty=tty, now=lambda every=0.1: 130.0)
                    for engine in ("jinja", "kida")
                }
                assert len(frames) == 1
