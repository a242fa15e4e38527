"""Addresses name what there is, decode a name once, and refuse the rest in words."""

from __future__ import annotations

import contextlib
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo import Phase
from milo.errors import PipelineError
from milo.views.mcp.addresses import (
    GRAPH,
    LOGS_TEMPLATE,
    RUNS,
    TIMELINE,
    Address,
    AddressError,
    logs_uri,
    parse,
)

FIXED = f"There are {TIMELINE}, {GRAPH}, {RUNS} and {LOGS_TEMPLATE}."


def logs_of(name: str) -> str:
    """The address of logs with this text where the name belongs, as it is."""
    return LOGS_TEMPLATE.replace("{name}", name)


def is_name(text: str) -> bool:
    try:
        Phase(text, print)
    except PipelineError:
        return False
    return True


@pytest.mark.parametrize("uri", [TIMELINE, GRAPH, RUNS])
def test_the_fixed_addresses_name_no_phase(uri: str) -> None:
    assert parse(uri) == Address(uri, None)


@given(st.text(min_size=1, max_size=1500).filter(is_name))
def test_every_name_that_can_be_declared_comes_back_from_its_address(name: str) -> None:
    uri = logs_uri(name)
    assert uri.isascii()
    assert uri.isprintable()
    assert uri.count("/") == LOGS_TEMPLATE.count("/")
    assert parse(uri) == Address(uri, name)


@given(st.text(min_size=1))
def test_different_names_have_different_addresses(name: str) -> None:
    """Whatever a program publishes, for a program can make a state by hand."""
    assert unquote(logs_uri(name), errors="surrogatepass") == logs_of(name)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("build", "build"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("a%25252Fb", "a%252Fb"),
        ("%2e%2e%2f", "../"),
        ("..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"),
        ("%C3%A9", "é"),
        ("é", "é"),
        ("a+b", "a+b"),
        ("%F0%9F%98%80", "😀"),
        ("logs", "logs"),
        ("..", ".."),
        ("%7Bname%7D", "{name}"),
    ],
)
def test_a_name_is_decoded_once_and_is_nothing_but_a_name(written: str, name: str) -> None:
    assert parse(logs_of(written)).phase == name


NO_RESOURCE = [
    "",
    "milo://",
    "milo://pipeline",
    "milo://pipeline/",
    "milo://pipeline/Timeline",
    "MILO://pipeline/timeline",
    "milo://pipeline/timeline/",
    "milo://pipeline/timeline?x=1",
    "milo://pipeline/timeline#x",
    "milo://other/timeline",
    " milo://pipeline/timeline",
    "milo://pipeline/timeline\n",
    "file:///etc/passwd",
    "http://127.0.0.1/timeline",
    "/etc/passwd",
    "../timeline",
    "milo://pipeline/../pipeline/timeline",
    "milo://pipeline/%74imeline",
    "milo://pipeline/phases/a",
    "milo://pipeline/phases/a/log",
    "milo://pipeline/phases/logs",
    "milo://pipeline/phases/a/logs/",
    "milo://pipeline/phases/a/logs?lines=3",
    "milo://pipeline/phases/a%2Flogs",
    "milo://pipeline/\ud800",
]
NO_NAME = ["", "../x", "a/b", "/etc/passwd", "..\\x", "a b", "a\tb", "a\u2028b", "a?b", "a#b", "//", "/"]
NO_ESCAPE = ["%", "%z", "%zz", "a%", "a%2", "%%", "%2G", "%u0041", "%-1"]
NO_TEXT = ["%ff", "%c0%af", "%c0%ae%c0%ae", "%ed%a0%80", "%f5%80%80%80", "%e2%82", "a%80", "\ud800"]
ENCODE = (
    "Percent-encode the name as one segment of the path: a space is %20, a slash %2F, a percent sign %25."
)


def refusal(uri: str) -> str:
    with pytest.raises(AddressError) as error:
        parse(uri)
    assert error.value.code == "address"
    assert str(error.value).encode("utf-8")
    return str(error.value)


@pytest.mark.parametrize("uri", NO_RESOURCE)
def test_what_is_no_resource_is_refused_with_those_that_there_are(uri: str) -> None:
    assert refusal(uri) == f"There is no resource {uri!r}. {FIXED}"


@pytest.mark.parametrize("name", NO_NAME)
def test_a_name_that_is_not_one_segment_is_refused(name: str) -> None:
    assert refusal(logs_of(name)) == f"{name!r} is no name of a phase in an address. {ENCODE}"


@pytest.mark.parametrize("name", NO_ESCAPE)
def test_a_percent_sign_that_begins_no_escape_is_refused(name: str) -> None:
    assert refusal(logs_of(name)) == f"{name!r} has a % that begins no escape. {ENCODE}"


@pytest.mark.parametrize("name", NO_TEXT)
def test_bytes_that_are_no_text_are_refused(name: str) -> None:
    """Overlong forms, halves of surrogate pairs, what is cut off and what Unicode does not have."""
    assert refusal(logs_of(name)) == f"{name!r} is not UTF-8 once it is decoded. {ENCODE}"


def test_what_is_too_long_is_refused_without_being_repeated() -> None:
    limit = 20_000 - len(logs_of(""))
    assert parse(logs_of("a" * limit)).phase == "a" * limit
    said = refusal(logs_of("a" * (limit + 1)))
    assert said == f"The address is too long: 20001 characters. {FIXED}"
    assert len(refusal("%" * 10**7)) < 300


@given(st.text())
def test_any_text_is_an_address_or_refused(uri: str) -> None:
    for text in (uri, logs_of(uri)):
        with contextlib.suppress(AddressError):
            assert parse(text).uri == text
