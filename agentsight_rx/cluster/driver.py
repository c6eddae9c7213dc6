"""A plan -> all of its tasks done: in this process, or by the workers of Dask, each key in order and the keys side by side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from msgspec import Struct

from ..errors import AgentsightError, SpoolError, UsageError
from .job import Done, Task, segment
from .plan import Plan

__all__ = ["Job", "Progress", "run_here", "run_on_dask"]

Job = Callable[[Task], Done]

_LOST = "run the same command again: it goes on behind the {done} segments that are committed"
_QUIET = ("distributed", "distributed.nanny", "distributed.worker", "distributed.scheduler", "distributed.client", "tornado")


class Progress(Struct):
    """How far a run is; `seconds` are those of the processors of the workers."""

    total: int
    done: int = 0
    doubled: int = 0  # another attempt had committed it
    items: int = 0
    seconds: float = 0.0

    def add(self, done: Done) -> None:
        self.done += 1
        self.doubled += not done.fresh
        self.seconds += done.seconds


def run_here(plan: Plan, report: Callable[[Progress], None], *, job: Job = segment) -> Progress:
    """One after the other, in this process."""
    progress = Progress(plan.left)
    for tasks in plan.tasks.values():
        for task in tasks:
            progress.add(job(task))
            report(progress)
    return progress


def run_on_dask(
    plan: Plan, report: Callable[[Progress], None], *, workers: int = 2, scheduler: str | None = None, job: Job = segment
) -> Progress:
    """
    On `scheduler` (an address), else on so many workers of this machine: processes that are started anew when one dies. A task
    whose worker dies is given to another one. Raises SpoolError where the scheduler or too many workers die; what is committed
    then is not done again.
    """
    progress = Progress(plan.left)
    dask = _dask()
    with _client(dask, workers, scheduler) as client:
        waiting = {key: iter(tasks) for key, tasks in plan.tasks.items()}
        keys: dict[Any, str] = {}

        def submit(key: str) -> Any:
            task = next(waiting[key], None)
            if task is None:
                return None
            # a run that is repeated has the same tasks, and none of them may be answered from an earlier one
            future = client.submit(job, task, pure=False, retries=2, priority=-task.sequence)
            keys[future] = key
            return future

        first = sorted(plan.tasks, key=lambda key: -len(plan.tasks[key]))  # what takes longest begins first
        running = dask.as_completed([future for key in first if (future := submit(key)) is not None])
        try:
            for future in running:
                progress.add(_result(future))
                report(progress)
                following = submit(keys.pop(future))
                if following is not None:
                    running.add(following)
        except AgentsightError:
            raise
        except Exception as error:  # the errors of Dask have no common type, and CancelledError says little
            again = _LOST.format(done=plan.done + progress.done)
            raise SpoolError(f"the cluster failed ({type(error).__name__}: {error}): {again}") from error
    if progress.done < progress.total:
        raise SpoolError(f"the cluster is gone: {_LOST.format(done=plan.done + progress.done)}")
    return progress


def _result(future: Any) -> Done:
    result: Done = future.result()
    return result


def _dask() -> Any:
    """The module `distributed`, which has no types."""
    try:
        found = import_module("distributed")
    except ImportError as error:
        raise UsageError("this needs Dask: install agentsight-rx[cluster], or give --workers 0 for this process") from error
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return found


@contextmanager
def _client(dask: Any, workers: int, scheduler: str | None) -> Generator[Any]:
    if scheduler is not None:
        try:
            client = dask.Client(scheduler, timeout="20s")
        except (OSError, ValueError) as error:
            raise SpoolError(f"--scheduler {scheduler} does not answer: {error}") from error
        with client:
            yield client
        return
    cluster = dask.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )
    with cluster, dask.Client(cluster) as client:
        yield client
