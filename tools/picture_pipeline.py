"""The pipeline in the README's picture: a release whose steps only take time."""

from __future__ import annotations

import time

from milo import Phase, PhasePolicy, Pipeline

flaky_attempts = iter((True, False))


def work(seconds: float, *lines: str) -> None:
    """Print the lines, spread over that time."""
    for line in lines:
        print(line)
        time.sleep(seconds / len(lines))


def upload() -> None:
    """Fail the first time, as uploads do."""
    work(0.3, "connecting to the mirror")
    if next(flaky_attempts):
        raise ConnectionError("the mirror hung up")
    work(0.4, "412 files sent")


pipeline = Pipeline(
    "release",
    Phase("checkout", lambda: work(0.3, "at 4f2a91c"), weight=3),
    Phase(
        "compile",
        lambda: work(1.2, "compiling 1 of 3", "2 of 3", "3 of 3"),
        depends_on=("checkout",),
        parallel=True,
        weight=12,
    ),
    Phase(
        "docs",
        lambda: work(1.6, "reading 48 pages", "rendering guide/", "rendering api/"),
        depends_on=("checkout",),
        parallel=True,
        weight=16,
    ),
    Phase(
        "unit tests",
        lambda: work(1.4, "311 passed", "602 passed", "914 passed"),
        depends_on=("compile",),
        parallel=True,
        weight=14,
    ),
    Phase(
        "browser tests",
        lambda: work(2.6, "firefox: 12 of 40", "firefox: 31 of 40", "chromium: 9 of 40"),
        depends_on=("compile",),
        parallel=True,
        weight=26,
    ),
    Phase(
        "upload docs",
        upload,
        depends_on=("docs",),
        parallel=True,
        weight=7,
        policy=PhasePolicy("retry", max_retries=2, retry_delay=1.5),
    ),
    Phase(
        "publish",
        lambda: work(0.4, "release 2.4.0 is out"),
        depends_on=("unit tests", "browser tests", "upload docs"),
        weight=4,
    ),
)
