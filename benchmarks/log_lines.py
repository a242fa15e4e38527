"""Prints how many captured lines a second become log lines of the state: 1,000,000 from eight phases at once.

Every line is looked at on its way to the reducer: none may be lost, come out of order, or carry another phase's name.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from milo import Action, Phase, Pipeline
from milo.session import Session

PHASES = 8
KEPT = 200


def main() -> int:
    """Print the lines, and check what came of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "lines", nargs="?", type=int, default=1_000_000, help="how many in all (default: 1000000)"
    )
    each = parser.parse_args().lines // PHASES
    pipeline = Pipeline(
        "lines",
        *[
            Phase(f"p{number}", _printer(number, each), parallel=True, max_logs=KEPT)
            for number in range(PHASES)
        ],
        capture_output=True,
    )
    checked_s, _ = _run(pipeline, each, check=True)
    took_s, grown_mb = _run(pipeline, each, check=False)
    total = each * PHASES
    print(
        f"{total:,} lines from {PHASES} phases: {total / took_s:,.0f} a second, {grown_mb:.0f} MB more memory; "
        f"each looked at: {total / checked_s:,.0f} a second, all there and in order"
    )
    return 0


def _printer(number: int, lines: int) -> Callable[[], None]:
    def handler() -> None:
        for line in range(lines):
            print(f"phase {number} says line {line}")

    return handler


def _run(pipeline: Pipeline, each: int, *, check: bool) -> tuple[float, float]:
    counts = [0] * PHASES

    def watch(
        next_dispatch: Callable[[Action], Any], get_state: Callable[[], Any]
    ) -> Callable[[Action], Any]:
        def dispatch(action: Action) -> Any:
            if action.type == "@@PHASE_LOG":
                number = int(action.payload["name"][1:])
                assert action.payload["line"] == f"phase {number} says line {counts[number]}"
                counts[number] += 1
            return next_dispatch(action)

        return dispatch

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    result = Session(pipeline, max_workers=PHASES, middleware=(watch,) if check else ()).run()
    took_s = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (
        1 if sys.platform == "darwin" else 1024
    )
    assert result.ok
    assert [len(phase.logs) for phase in result.state.phases] == [min(KEPT, each)] * PHASES
    assert not check or counts == [each] * PHASES
    return took_s, grown


if __name__ == "__main__":
    sys.exit(main())
