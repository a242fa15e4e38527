"""What the detail view costs: a repaint, a second with 1,000 actions in it, and a second in which nothing happens."""

from __future__ import annotations

import os
import pty
import statistics
import sys
import threading
import time
from collections.abc import Callable

from milo import Action, App, Key, Phase, Pipeline, SpecialKey
from milo.pipeline import make_detail_reducer
from milo.terminal.screen import Screen, lines_of
from milo.terminal.view import View

PHASES, LINES = 1_000, 10_000
COLUMNS, ROWS = 140, 40
SECONDS, ACTIONS_A_SECOND = 5.0, 1_000
REPAINTS = 200


def main() -> None:
    """Print a table."""
    if "--child" in sys.argv:
        in_a_terminal()
        return
    print(f"{PHASES:,} phases, {LINES:,} log lines, a screen of {COLUMNS}x{ROWS}\n")
    for what, keys in {"the list": "", "the logs": "\r", "the top of the logs": "\rg"}.items():
        times = repaints(keys)
        print(f"repaint of {what:<20} median {statistics.median(times):5.2f} ms, worst {max(times):5.2f} ms")
    print()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, __file__, "--child"])
    written = b""
    try:
        while data := os.read(terminal, 65536):
            written += data
    except OSError:  # the child has ended, and its terminal with it
        os.waitpid(pid, 0)
    text = written.decode("utf-8", "replace")
    print(text[text.rindex("\x1b[?1049l") + 8 :].replace("\r\n", "\n").strip())


def pressed(key: str) -> Action:
    return Action("@@KEY", Key(name=SpecialKey.ENTER) if key == "\r" else Key(key))


def full_app() -> App:
    """An App with a run in it that is as large as said."""
    phases = [Phase(f"phase-{number:04}", int, parallel=True, max_logs=LINES) for number in range(PHASES)]
    pipeline = Pipeline("large", *phases)
    app = App("pipeline.kida", make_detail_reducer(pipeline.build_reducer()))
    now = time.monotonic()
    app.store.dispatch(Action("@@PIPELINE_START", {"at": now, "time": 0.0, "run_id": "bench"}))
    for number in range(8):
        app.store.dispatch(Action("@@PHASE_START", {"name": f"phase-{number:04}", "at": now}))
    for number in range(LINES):
        app.store.dispatch(a_line(number))
    return app


def a_line(number: int) -> Action:
    line = (
        f"\x1b[32mok\x1b[0m line {number} of some output, with a path /srv/site/pages/{number}.html and 漢字"
    )
    return Action("@@PHASE_LOG", {"name": "phase-0000", "line": line, "stream": "stdout", "timestamp": 0.0})


def repaints(keys: str) -> list[float]:
    """Milliseconds of work for each of many repaints, everything but the terminal's own part in it."""
    app = full_app()
    view, screen = View("pipeline.kida", None, "jinja", time.monotonic, color=True), Screen()
    app.store.dispatch(Action("@@RESIZE", {"columns": COLUMNS, "rows": ROWS}))
    for key in keys:
        app.store.dispatch(pressed(key))
    times = []
    for number in range(REPAINTS + 1):
        app.store.dispatch(a_line(number))
        began = time.process_time()
        text, _ = view.draw(app.store.state, COLUMNS, ROWS)
        screen.update(lines_of(text, COLUMNS, ROWS), COLUMNS, ROWS)
        times.append((time.process_time() - began) * 1e3)
    app.store.shutdown()
    return times[1:]  # the first one loads what is needed


def in_a_terminal() -> None:
    """The App on a real terminal, measured from inside while another thread dispatches."""
    os.environ["TERM"] = "xterm-256color"
    app = full_app()
    told: list[str] = []

    def measure() -> None:
        time.sleep(1.0)
        for what, key in (("the list", ""), ("the logs", "\r")):
            if key:
                app.store.dispatch(pressed(key))
            share = processor_share(lambda: dispatch_for(app, SECONDS))
            told.append(f"{ACTIONS_A_SECOND:,} actions a second, {what}: {share:.1%} of one processor")
        baseline = processor_share(lambda: dispatch_for(None, SECONDS))
        told.append(f"(of which the thread that sends them, without dispatching: {baseline:.1%})")
        for number in range(8):
            app.store.dispatch(Action("@@PHASE_COMPLETE", {"name": f"phase-{number:04}", "result": 0}))
        app.store.dispatch(Action("@@PIPELINE_COMPLETE", None))
        time.sleep(0.5)
        share = processor_share(lambda: time.sleep(SECONDS))
        told.append(f"nothing happens: {share:.2%} of one processor")
        app.store.dispatch(pressed("q"))

    threading.Thread(target=measure, daemon=True).start()
    app.run()
    print("\n".join(told))


def dispatch_for(app: App | None, seconds: float) -> None:
    """Dispatch log lines in small bunches, as phases print them."""
    started = time.monotonic()
    number = 0
    while (elapsed := time.monotonic() - started) < seconds:
        while number < elapsed * ACTIONS_A_SECOND:
            if app is not None:
                app.store.dispatch(a_line(number))
            number += 1
        time.sleep(0.005)


def processor_share(work: Callable[[], None]) -> float:
    """The processor time of the whole process during `work`, as a share of one processor."""
    began, processor = time.monotonic(), time.process_time()
    work()
    return (time.process_time() - processor) / (time.monotonic() - began)


if __name__ == "__main__":
    main()
