"""Whoever lacks the SDK is told how to get it, and milo itself does without it."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

import milo.views.mcp
from milo.errors import MiloError
from milo.views.mcp import sdk

MESSAGE = (
    "Serving agents needs the package mcp, version 2.3 or newer, which is not installed. "
    "Install it: python -m pip install 'milo-pipelines[mcp]'."
)


def test_where_the_sdk_is_there_nothing_is_said() -> None:
    sdk.require_sdk()


@pytest.mark.parametrize("missing", ["mcp", "mcp_types"])
def test_where_it_is_missing_or_old_the_next_step_is_told(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Before 2.3 there is no mcp_types."""

    def find(name: str) -> ModuleSpec | None:
        return None if name == missing else ModuleSpec(name, None)

    monkeypatch.setattr(sdk, "find_spec", find)
    with pytest.raises(MiloError) as error:
        sdk.require_sdk()
    assert isinstance(error.value, ImportError)
    assert (str(error.value), error.value.code) == (MESSAGE, "missing")
    for name in ("make_server", "Tools", "Acting", "serve"):
        monkeypatch.delitem(vars(milo.views.mcp), name, raising=False)
        with pytest.raises(MiloError, match="pip install"):
            getattr(milo.views.mcp, name)


def test_what_there_is_not_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"module 'milo\.views\.mcp' has no attribute 'nothing'"):
        milo.views.mcp.nothing  # noqa: B018


def test_the_sources_do_without_the_sdk_and_the_server_loads_it() -> None:
    """In an interpreter of its own: the SDK takes a second to load, and is loaded when a server is made."""
    program = """
import sys
import milo, milo.cli.launching, milo.views.mcp as mcp
mcp.JournalSource, mcp.ProgramSource, mcp.LaunchError, mcp.Order
loaded = {name.partition('.')[0] for name in sys.modules}
assert not loaded & {'mcp', 'mcp_types', 'pydantic', 'anyio'}, loaded
mcp.make_server
assert 'mcp' in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
