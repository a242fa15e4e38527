"""What one protocol writes is all there is on stdout; what anything else prints is safe lines on stderr."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WRITES_ALL = r"""
import os, subprocess, sys, threading
from milo.execution.wire import stdout_for_json

def mask(line):
    return line.replace("hunter2", "***")

print("before")
with stdout_for_json(mask) as wire:
    print("printed")
    sys.stdout.write("no newline yet, ")
    print("now")
    os.write(1, b"raw hunter2\n")
    os.system("echo from a shell; echo to its stderr >&2")
    subprocess.run([sys.executable, "-c", "print('from a child')"])
    threads = [threading.Thread(target=sys.stdout.write, args=(f"thread {at}\n",)) for at in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    os.write(1, b"\x1b]0;title\x07\x1b[2Jcontrols\r\n\xff\xfe\n")
    os.write(1, '{"jsonrpc":"2.0","result":1}\u2028 half\n'.encode())
    print("complaint", file=sys.stderr)
    wire.write('{"a":1}\n')
    wire.flush()
    print("after", flush=True)
    wire.write('{"b":2}\n')
print("behind")
print("behind", file=sys.stderr)
"""


def ran(program: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=True, **options
    )


def test_nothing_but_what_the_protocol_writes_reaches_stdout() -> None:
    done = ran(WRITES_ALL)
    assert done.stdout == b'before\n{"a":1}\n{"b":2}\nbehind\n'
    said = done.stderr.decode().splitlines()
    for line in (
        "printed",
        "no newline yet, now",
        "raw ***",
        "from a shell",
        "to its stderr",
        "from a child",
        "thread 0",
        "thread 1",
        "thread 2",
        "controls",
        "complaint",
        "after",
        "behind",
    ):
        assert said.count(line) == 1, said
    assert b"\x1b" not in done.stderr
    assert "\u2028" not in done.stderr.decode()
    assert any(line.startswith('{"jsonrpc":"2.0","result":1}\\u2028 half') for line in said)
    assert said[-1] == "behind"


RAISES = """
import sys
from milo.execution.wire import stdout_for_json
try:
    with stdout_for_json(str) as wire:
        print("printed")
        wire.write("half")
        1 / 0
except ZeroDivisionError:
    print("caught")
"""


def test_an_error_inside_leaves_everything_as_it_was() -> None:
    done = ran(RAISES)
    assert (done.stdout, done.stderr) == (b"halfcaught\n", b"printed\n")


PRINTS_IN_C = """
import ctypes
from milo.execution.wire import stdout_for_json
puts = ctypes.CDLL(None).puts
puts(b"before")
with stdout_for_json(str) as wire:
    puts(b"inside")
    wire.write("wire\\n")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="looks for the C library as POSIX does")
def test_what_code_in_c_prints_inside_is_no_part_of_it() -> None:
    """It keeps that in a buffer of its own, whose content belongs where it was printed."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = ran(PRINTS_IN_C, env=env)
    assert (done.stdout, done.stderr) == (b"before\nwire\n", b"inside\n")


ENCODES = """
from milo.execution.wire import stdout_for_json
with stdout_for_json(str, "utf-8") as wire:
    wire.write("\\u00e9\\n")
with stdout_for_json(str) as wire:
    try:
        wire.write("\\u00e9\\n")
    except UnicodeEncodeError:
        wire.write("ascii only\\n")
"""


def test_it_is_ascii_unless_told_otherwise_whatever_the_locale_says() -> None:
    done = ran(ENCODES, env={**os.environ, "PYTHONIOENCODING": "latin-1", "LC_ALL": "C"})
    assert done.stdout == b"\xc3\xa9\nascii only\n"


LEAVES_A_CHILD = """
import subprocess, sys
from milo.execution.wire import stdout_for_json
with stdout_for_json(str) as wire:
    child = subprocess.Popen([sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
                             stdin=subprocess.PIPE)
    wire.write("done\\n")
print("not held up", flush=True)
child.stdin.close()
child.wait()
"""


def test_a_process_that_lives_on_with_its_stdout_does_not_keep_it_from_ending() -> None:
    assert ran(LEAVES_A_CHILD).stdout == b"done\nnot held up\n"


CHILDREN_HAVE_NOT = """
import os, subprocess, sys
from milo.execution.wire import stdout_for_json
with stdout_for_json(str) as wire:
    found = subprocess.run([sys.executable, "-c", '''
import os
print([number for number in range(3, 100) if os.path.exists(f"/proc/self/fd/{number}")
       and not os.readlink(f"/proc/self/fd/{number}").startswith("/proc")])
'''], close_fds=False, capture_output=True, text=True)
    wire.write(found.stdout)
"""


@pytest.mark.skipif(
    not os.path.exists("/proc/self/fd"), reason="only there can a process see its descriptors"
)
def test_no_child_inherits_the_wire() -> None:
    assert ran(CHILDREN_HAVE_NOT).stdout == b"[]\n"


def test_whoever_does_not_read_any_more_ends_nothing() -> None:
    """Neither a closed stdout nor a closed stderr is a traceback, and nobody who prints is blocked."""
    program = """
import os, sys
from milo.execution.wire import stdout_for_json
sys.stdin.readline()
with stdout_for_json(str) as wire:
    for _ in range(3000):
        os.write(1, b"x" * 100 + b"\\n")
    wire.write("x" * 100)
sys.exit(7)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait(60) == 7
