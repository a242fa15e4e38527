"""The addresses of what can be read, and why an address is refused."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from milo.errors import MiloError

__all__ = ["GRAPH", "LOGS_TEMPLATE", "RUNS", "TIMELINE", "Address", "AddressError", "logs_uri", "parse"]

TIMELINE: Final = "milo://pipeline/timeline"
GRAPH: Final = "milo://pipeline/graph"
RUNS: Final = "milo://pipeline/runs"
LOGS_TEMPLATE: Final = "milo://pipeline/phases/{name}/logs"

_FIXED: Final = (TIMELINE, GRAPH, RUNS)
_HEAD, _TAIL = LOGS_TEMPLATE.split("{name}")
# Three times what fits into any sensible name, percent-encoded; nobody needs to have more decoded.
_MAX_LENGTH: Final = 20_000
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RESERVED: Final = re.compile(r"[/?#\\\s]")


class AddressError(MiloError, LookupError):
    """An address names nothing that there is."""

    code = "address"


class Address(NamedTuple):
    """What an address names: one of the fixed ones, or with `phase` the logs of a phase."""

    uri: str
    phase: str | None = None


def logs_uri(name: str) -> str:
    """The address of a phase's logs."""
    return f"{_HEAD}{quote(name.encode('utf-8', 'surrogatepass'), safe='')}{_TAIL}"


def parse(uri: str) -> Address:
    """Tell what an address names. A name is decoded once, and never used as a path.

    Raises:
        AddressError: It is none of the addresses that there are, or is not well formed.
    """
    if len(uri) > _MAX_LENGTH:
        raise AddressError(f"The address is too long: {len(uri)} characters.", hint=_LIST)
    if uri in _FIXED:
        return Address(uri)
    name = uri[len(_HEAD) : -len(_TAIL)]
    if not (uri.startswith(_HEAD) and uri.endswith(_TAIL) and len(uri) >= len(_HEAD) + len(_TAIL)):
        raise AddressError(f"There is no resource {uri!r}.", hint=_LIST)
    if not name or _RESERVED.search(name):
        raise AddressError(f"{name!r} is no name of a phase in an address.", hint=_ENCODE)
    if _BAD_ESCAPE.search(name):
        raise AddressError(f"{name!r} has a % that begins no escape.", hint=_ENCODE)
    try:
        return Address(uri, unquote_to_bytes(name).decode("utf-8"))
    except UnicodeError:
        raise AddressError(f"{name!r} is not UTF-8 once it is decoded.", hint=_ENCODE) from None


_LIST = f"There are {', '.join(_FIXED)} and {LOGS_TEMPLATE}."
_ENCODE = (
    "Percent-encode the name as one segment of the path: a space is %20, a slash %2F, a percent sign %25."
)
