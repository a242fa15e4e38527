"""What `milo run` comes to where its output, its journal or its views fail it."""

import os
import subprocess
from typing import Any

import pytest

WRITING = """
from milo import Phase, Pipeline
pipeline = Pipeline("build", Phase("write", lambda: open("ran", "w").close()))
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [[], ["--ci", "github"], ["--quiet"]])
def test_a_run_that_cannot_be_shown_goes_on_and_says_so_once(cli: Any, arguments: list[str]) -> None:
    """Its status is that of what it did."""
    cli.write(WRITING)
    with open("/dev/full", "w") as full:
        process = cli.start("run", *arguments, stdout=full, stderr=subprocess.PIPE, text=True)
        told = process.communicate(timeout=60)[1]
    quiet = "--quiet" in arguments
    said = "" if quiet else "milo: The output cannot be written: No space left on device.\n"
    assert (process.returncode, told) == (0, said)
    assert (cli.folder / "ran").exists()
