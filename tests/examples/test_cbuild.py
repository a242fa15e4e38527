"""The C build example: a small project made here, built, tested and broken."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import milo
import milo.testing

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cbuild.py"
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

SOURCES = {
    "add.c": "int add(int a, int b) { return a + b; }\n",
    "twice.c": "int add(int a, int b);\nint twice(int a) { return add(a, a); }\n" + "/* padding */\n" * 2_000,
    "main.c": '#include <stdio.h>\nint twice(int a);\nint main(void) { printf("%d\\n", twice(21)); return 0; }\n',
}


def compiled(name: str) -> dict[str, Any]:
    made = f"build/{name}.o"
    return {
        "id": f"cc:{name}",
        "cmd": f"cc -c {name} -o {made}",
        "deps": [],
        "inputs": [name],
        "outputs": [made],
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(text)
    objects = [compiled(name) for name in SOURCES]
    link = {
        "id": "ld:twice",
        "cmd": "cc build/*.o -o build/twice && echo linked",
        "deps": [unit["id"] for unit in objects],
        "inputs": ["build/add.c.o", "build/twice.c.o", "build/main.c.o"],
        "outputs": ["build/twice"],
    }
    test = {
        "id": "test",
        "cmd": 'test "$(build/twice)" = 42',
        "deps": ["ld:twice"],
        "inputs": ["build/twice"],
        "outputs": [],
    }
    plan = {"prepare": "mkdir -p build", "cwd": "anywhere", "units": [*objects, link, test]}
    (tmp_path / "units.json").write_text(json.dumps(plan))
    return tmp_path


def made(project: Path) -> milo.Pipeline:
    pipeline: milo.Pipeline = runpy.run_path(str(EXAMPLE))["pipeline"](project / "units.json", project)
    return pipeline


@needs_cc
def test_the_command_builds_a_project_whose_place_it_is_told(project: Path, tmp_path: Path) -> None:
    arguments = [
        "-p",
        f"units={project / 'units.json'}",
        "-p",
        f"source={project}",
        "-j",
        "2",
        "--no-journal",
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "milo", "run", str(EXAMPLE), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert "ld:twice | linked" in ran.stdout
    assert "cbuild completed in " in ran.stdout
    assert ran.stdout.rstrip().endswith("6 completed")
    assert (project / "build" / "twice").exists()


@needs_cc
def test_an_error_of_the_compiler_is_the_phases_error(project: Path) -> None:
    (project / "add.c").write_text("int add(int a, int b) { return a + ; }\n")
    state = milo.run(made(project), keep_going=True, max_workers=2).state
    assert state.status == "failed"
    assert "add.c:1" in state.phase("cc:add.c").error
    assert "cc -c add.c" in state.phase("cc:add.c").error
    assert [state.phase(name).status for name in ("cc:main.c", "ld:twice")] == ["completed", "pending"]


def test_what_has_most_to_read_is_started_first(project: Path) -> None:
    started = milo.testing.run(
        made(project), fakes=dict.fromkeys(phase_names(project), 0), max_workers=1
    ).started
    assert started == ["prepare", "cc:twice.c", "cc:main.c", "cc:add.c", "ld:twice", "test"]


def test_a_header_counts_once_if_it_is_guarded_and_each_time_if_it_is_a_template(tmp_path: Path) -> None:
    size = runpy.run_path(str(EXAMPLE))["size"]
    texts = {
        "guarded.h": "/* once */\n#ifndef G\n#define G\n#endif\n",
        "template.h": "int NAME(void);\n",
        "itself.h": '#include "itself.h"\n',
        "a.c": '#include "guarded.h"\n#include "guarded.h"\n# include "template.h"\n#include "template.h"\n'
        '#include "itself.h"\n#include "nowhere.h"\n#include <stdio.h>\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert size(tmp_path / "a.c") == sum(map(len, texts.values())) + len(texts["template.h"])
    assert size(tmp_path / "nowhere.c") == 0


def phase_names(project: Path) -> list[str]:
    return [phase.name for phase in made(project).phases]


def test_every_command_comes_after_what_it_needs(project: Path) -> None:
    pipeline = made(project)
    assert pipeline.execution_order()[0] == "prepare"
    assert pipeline.phase("cc:add.c").depends_on == ("prepare",)
    assert pipeline.phase("ld:twice").depends_on == tuple(f"cc:{name}" for name in SOURCES)
