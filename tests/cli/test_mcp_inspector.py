"""The MCP Inspector, somebody else's client: its command line lists and reads all that `milo mcp` has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import environment

ROOT = Path(__file__).resolve().parents[2]
# The last one that runs on Node.js 18 and newer; later ones want 22.
VERSION = "0.15.0"
FOLDER = ROOT / "build" / f"inspector-{VERSION}"
PROGRAM = FOLDER / "node_modules" / ".bin" / "mcp-inspector"
INSTALL_S = 180.0
CALL_S = 60.0

BUILD = """
from milo import Phase, Pipeline

def pack():
    print("packed \\x1b[31mred\\x1b[0m \\x07")

pipeline = Pipeline("build", Phase("pack/all 100 %", pack, description="Put it together"))
"""


@pytest.fixture(scope="session")
def inspector() -> Path:
    """The Inspector's program, installed once a checkout."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("the MCP Inspector needs Node.js with npm")
    if not PROGRAM.exists():
        why = install()
        if why or not PROGRAM.exists():
            pytest.skip(f"npm could not install the MCP Inspector: {why}")
    return PROGRAM


def install() -> str:
    """Have npm install the Inspector; returns why it has not, or "" where it has."""
    npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(FOLDER)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [*npm, f"@modelcontextprotocol/inspector@{VERSION}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_S,
        )
    except subprocess.TimeoutExpired:
        return f"it has not come to an end in {INSTALL_S:.0f} s"
    return done.stderr.strip()[-300:] if done.returncode != 0 else ""


@pytest.fixture
def ask(cli: Any, inspector: Path) -> Any:
    """Ask a server that the Inspector starts for one thing."""
    cli.write(BUILD)
    assert cli.run("run").returncode == 0

    def ask(method: str, *arguments: str, server: tuple[str, ...] = ()) -> Any:
        done = subprocess.run(
            [
                str(inspector),
                "--cli",
                sys.executable,
                "-m",
                "milo",
                "mcp",
                *server,
                "--method",
                method,
                *arguments,
            ],
            cwd=cli.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_S,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


def test_every_resource_is_listed_and_read(ask: Any) -> None:
    listed = ask("resources/list")["resources"]
    assert [each["uri"].rpartition("/")[2] for each in listed] == ["timeline", "graph", "runs"]
    read = {}
    for each in listed:
        [content] = ask("resources/read", "--uri", each["uri"])["contents"]
        read[each["name"]] = json.loads(content["text"])
    assert read["timeline"]["status"] == "completed"
    assert read["graph"]["phases"][0]["description"] == "Put it together"
    assert [run["status"] for run in read["runs"]["runs"]] == ["completed"]


def test_the_logs_of_a_phase_are_read_by_the_template(ask: Any) -> None:
    [template] = ask("resources/templates/list")["resourceTemplates"]
    assert "untrusted" in template["description"].lower()
    uri = template["uriTemplate"].replace("{name}", "pack%2Fall%20100%20%25")
    [content] = ask("resources/read", "--uri", uri)["contents"]
    assert [line["line"] for line in json.loads(content["text"])["untrusted_lines"]] == ["packed red ␇"]


def test_tools_are_listed_and_called_where_they_are_allowed(ask: Any) -> None:
    server = ("pipeline.py", "--allow-run")
    tools = ask("tools/list", server=server)["tools"]
    assert [tool["name"] for tool in tools] == ["run_pipeline", "resume_run", "cancel_run", "explain"]
    done = ask("tools/call", "--tool-name", "run_pipeline", "--tool-arg", "wait=true", server=server)
    assert done["structuredContent"]["status"] == "completed"
    assert ask("tools/list")["tools"] == []
