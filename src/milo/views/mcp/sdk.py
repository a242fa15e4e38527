"""The SDK of the Model Context Protocol: whether it is there, and what to do where it is not."""

from __future__ import annotations

from importlib.util import find_spec

from milo.errors import MiloError

__all__ = ["MissingSdkError", "require_sdk"]


class MissingSdkError(MiloError, ImportError):
    """The SDK is not installed."""

    code = "missing"


def require_sdk() -> None:
    """Refuse to go on without the SDK.

    Raises:
        MissingSdkError: It is not installed, or is of the generation before.
    """
    if find_spec("mcp") is None or find_spec("mcp_types") is None:
        raise MissingSdkError(
            "Serving agents needs the package mcp, version 2.3 or newer, which is not installed.",
            hint="Install it: python -m pip install 'milo-pipelines[mcp]'.",
        )
