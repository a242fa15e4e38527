"""Parameters: text converted by a function's annotations, or refused in a sentence."""

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest

from milo.cli.parameters import arguments, parse
from milo.errors import TargetError


class Mode(enum.Enum):
    FAST = "quick"
    SLOW = "careful"


def given(function: Any, *pairs: str) -> Any:
    positional, keywords = arguments(function, parse(pairs))
    return function(*positional, **keywords)


def asked(kind: Any) -> Any:
    def function(x: Any = None) -> Any:
        return x

    function.__annotations__["x"] = kind
    return function


@pytest.mark.parametrize(
    ("kind", "texts", "value"),
    [
        (str, ["a=b"], "a=b"),
        (int, ["-3"], -3),
        (float, ["1e3"], 1000.0),
        (bool, ["Yes"], True),
        (bool, ["off"], False),
        (Path, ["a/b"], Path("a/b")),
        (int | None, ["none"], None),
        (Optional[int], ["4"], 4),  # noqa: UP045  # the older spelling is what this case is about
        (int | str, ["four"], "four"),
        (str | int, ["4"], 4),
        (Literal["a", 3], ["3"], 3),
        (Mode, ["FAST"], Mode.FAST),
        (Mode, ["careful"], Mode.SLOW),
        (list[int], ["1", "2"], [1, 2]),
        (list, ["1"], ["1"]),
        (tuple[Path, ...], ["a", "b"], (Path("a"), Path("b"))),
        (set[str], ["a", "a"], {"a"}),
        (Sequence[float], ["1"], [1.0]),
        (list[str] | None, ["a", "b"], ["a", "b"]),
        (Annotated[int, "how many"], ["5"], 5),
        ("int", ["6"], 6),
        (Any, ["x"], "x"),
    ],
)
def test_text_becomes_what_the_annotation_says(kind: Any, texts: list[str], value: Any) -> None:
    result = given(asked(kind), *(f"x={text}" for text in texts))
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("kind", "texts", "message"),
    [
        (int, ["1.5"], "Parameter 'x' must be a whole number, not '1.5'."),
        (float, ["nan"], "Parameter 'x' must be a finite number, not 'nan'."),
        (bool, ["maybe"], "Parameter 'x' must be true or false, not 'maybe'."),
        (Literal["a", "b"], ["c"], "Parameter 'x' must be one of a, b, not 'c'."),
        (Mode, ["lazy"], "Parameter 'x' must be one of FAST, SLOW, not 'lazy'."),
        (int | None, ["x"], "Parameter 'x' must be none or a whole number, not 'x'."),
        (int, ["1", "2"], "Parameter 'x' was given 2 times; it takes one value."),
        (dict, ["x"], "Parameter 'x' must be a dict, which the command line cannot make, not 'x'."),
        ("Missing", ["x"], "Parameter 'x': its annotation 'Missing' does not exist."),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_value(
    kind: Any, texts: list[str], message: str
) -> None:
    with pytest.raises(TargetError) as error:
        given(asked(kind), *(f"x={text}" for text in texts))
    assert str(error.value) == message


def test_without_an_annotation_the_default_tells_the_kind() -> None:
    def make(n=1, ok=False, where=Path("x"), name="x"):
        return n, ok, where, name

    assert given(make, "n=2", "ok=true", "where=y", "name=3") == (2, True, Path("y"), "3")


def test_an_unknown_parameter_is_refused_with_the_nearest_and_all() -> None:
    def make(output: Path, jobs: int = 2, source: Path = Path("src"), mode: Mode = Mode.FAST) -> None: ...

    with pytest.raises(TargetError) as error:
        given(make, "ouput=x")
    assert str(error.value) == (
        "There is no parameter 'ouput'. Did you mean 'output'? Available parameters: "
        "output: Path, jobs: int = 2, source: Path = src, mode: Mode = FAST."
    )


def test_a_missing_parameter_is_named_with_how_to_give_it() -> None:
    def make(output: Path) -> None: ...

    with pytest.raises(TargetError, match=r"Parameter 'output' is missing\. Give it with -p output=VALUE\."):
        given(make)


def test_a_dash_in_a_name_stands_for_an_underscore() -> None:
    def make(dry_run: bool) -> bool:
        return dry_run

    assert given(make, "dry-run=yes") is True


def test_positional_only_and_free_keywords_receive_theirs() -> None:
    def make(a: int, b: int = 2, /, **rest: str) -> Any:
        return a, b, rest

    assert given(make, "a=1", "c=3") == (1, 2, {"c": "3"})


@pytest.mark.parametrize("text", ["x", "=1"])
def test_a_pair_without_a_name_or_a_value_is_refused(text: str) -> None:
    with pytest.raises(TargetError, match="-p expects name=value"):
        parse([text])
