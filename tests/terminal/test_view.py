"""A view: what a template is given, and the text that comes of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from milo.errors import StateError
from milo.terminal.view import View


def view(template: str | Path, *, color: bool | None = None, templates: Any = None) -> View:
    return View(template, templates, "jinja", lambda: 42.5, color)


def test_a_template_sees_state_size_and_time() -> None:
    text = "{{ state }} {{ columns }}x{{ rows }} {{ tty }} {{ now() }}"
    assert view(text).frame("s", 60, 10, color=False) == "s 60x10 True 42.5\n"


@pytest.mark.parametrize(
    ("text", "seconds"), [("{{ 1 }}", None), ("{{ now() }}", 0.1), ("{{ now(5) - now(2) }}", 2)]
)
def test_who_asks_for_the_time_is_drawn_again(text: str, seconds: float | None) -> None:
    drawn = view(text)
    assert drawn.draw(None, 80, 24)[1] == seconds
    assert drawn.draw(None, 80, 24)[1] == seconds


def test_a_path_is_a_template_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("{% include 'two' %}")
    (tmp_path / "two").write_text("two")
    assert view(tmp_path / "one").frame(None, 80, 24, color=False) == "two\n"
    assert view("one", templates=tmp_path).frame(None, 80, 24, color=False) == "two\n"
    assert view("one", templates=[str(tmp_path)]).frame(None, 80, 24, color=False) == "two\n"


def test_what_stands_in_the_template_itself_is_made_safe_too() -> None:
    text, _ = view("\x1b[2J\x1b[1mbold\x1b[0m\n\x1b]0;title\x07 \x1b", color=True).draw(None, 80, 24)
    assert text == "\x1b[1mbold\x1b[0m\n ␛"


def test_a_frame_is_cut_and_has_no_blank_ends() -> None:
    assert view("abcdef  \n\n  x \n\n\n").frame(None, 4, 3, color=False) == "abcd\n\n  x\n"


def test_colour_is_left_out_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert view("{{ 'x'|red|bold }}").draw(None, 80, 24)[0] == "\x1b[1mx\x1b[0m\x1b[0m"
    monkeypatch.delenv("NO_COLOR")
    assert view("{{ 'x'|red }}").draw(None, 80, 24)[0] == "\x1b[31mx\x1b[0m"
    assert view("{{ 'x'|red }}", color=False).draw(None, 80, 24)[0] == "x\x1b[0m"


def test_where_there_is_no_screen_the_picture_is_plain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    view("{{ 'x'|red|bold }} {{ tty }}\n").write_once(None, 80, 24)
    view("{{ 'x'|red }}\n", color=True).write_once(None, 80, 24)
    assert capsys.readouterr().out == "x False\n\x1b[31mx\x1b[0m\n"


def test_a_narrow_encoding_gets_plain_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)
    view("{{ symbol('✓', '+') }} {{ meter(0.5, 2) }} 漢\n").write_once(None, 80, 24)
    out.seek(0)
    assert out.read() == "+ #. ?\n"


def test_what_is_no_template_is_refused() -> None:
    with pytest.raises(StateError, match="must be a name, a Path or a text, got 7"):
        view(7)  # type: ignore[arg-type]
