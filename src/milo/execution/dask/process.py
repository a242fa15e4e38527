"""A worker process of a Dask cluster of the run's own: one thread, reachable from this machine alone."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

# All that is needed, before the program's own import path counts.
import dask
from distributed import Worker

from milo.execution.dask import worker as dask_worker  # noqa: F401 - what is sent names it
from milo.execution.dask.held import keep_streams
from milo.execution.dask.quiet import quieten
from milo.execution.program import adopt_program

__all__ = ["main"]


def main(descriptor: int) -> None:
    """Work until the run's process closes the other end of `descriptor`, or is gone."""
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    try:
        told = pickle.loads(connection.recv_bytes())
    except EOFError:
        return  # the run ended before this process was there
    adopt_program(told["program"])
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    threading.Thread(target=_end_with_run, args=(connection,), name="milo-listen", daemon=True).start()
    asyncio.run(_work(told))


def _end_with_run(connection: Connection) -> None:
    try:
        connection.recv_bytes()
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)  # this process leads its session


async def _work(told: dict[str, Any]) -> None:
    quieten()
    dask.config.set({"distributed.worker.profile.enabled": False})
    async with Worker(
        told["scheduler"],
        nthreads=1,
        name=told["name"],
        resources={told["name"]: 1},
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        local_directory=told["folder"],
        memory_limit=0,
        security=told["security"],
    ) as worker:
        # From now on it is the run that tells of what goes wrong here; until now it went to a file.
        os.dup2(told["stderr"], 2)
        os.close(told["stderr"])
        keep_streams()
        await worker.finished()
