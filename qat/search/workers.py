"""Evaluates candidates side by side on Ray: on the cores of this machine, or those of a cluster."""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import Any

from mobile_sdk.errors import MachineError
from mobile_sdk.packages import needed
from qat.search.evaluation import CandidateTraining, Evaluate, Job, Outcome, Parent, run_job

_ANSWERS_S = 10.0
RETRIES = 2  # retries of a candidate whose worker died, before the search gives up


@contextmanager
def ray_workers(
    training: CandidateTraining,
    *,
    workers: int | None = None,
    address: str | None = None,
    run: Callable[[Job, CandidateTraining], Outcome] = run_job,
) -> Iterator[Evaluate]:
    """Yields a function that evaluates jobs, at most `workers` at a time (all cores if None), each on one core.

    `address`, else the variable RAY_ADDRESS, is a cluster's ("auto", "10.0.0.1:6379", "ray://…"); without either Ray is
    started on this machine and stopped at the end. A job whose worker dies is run again. Raises MachineError if Ray is
    not installed, the cluster does not answer, or a job's workers keep dying.
    """
    ray = _imported()
    address = address or os.environ.get("RAY_ADDRESS")
    with redirect_stdout(sys.stderr):  # Ray reports there why workers died; standard output is the result's
        _start(ray, workers, address)
        try:
            shared = ray.put(training)
            remote = ray.remote(num_cpus=1, max_retries=RETRIES)(_with_parent(run))
            at_once = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

            def evaluate(jobs: Sequence[Job]) -> Iterator[tuple[Job, Outcome]]:
                yield from _evaluate(ray, remote, shared, jobs, at_once)

            yield evaluate
        finally:
            ray.shutdown()


def check_ray(address: str | None = None) -> None:
    """Raises MachineError if Ray is not installed, or no cluster is at the address, before any training."""
    _imported()
    if address := address or os.environ.get("RAY_ADDRESS"):
        _check_answers(address)


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # today's default warns of tomorrow's
    return needed("ray", "the evaluation of candidates", extra="search")


def _check_answers(address: str) -> None:
    """Raises MachineError if nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # "auto", "local": Ray finds it
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWERS_S).close()
    except (OSError, OverflowError) as error:
        raise MachineError(
            f"expected a Ray cluster at {address}, found: {error}",
            hint="start one with `ray start --head`, or leave the address out for this machine alone",
        ) from error


def _start(ray: Any, workers: int | None, address: str | None) -> None:
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    if address:
        settings["address"] = address
    else:
        settings["address"] = "local"  # rather than a cluster that runs here already
        settings |= {"num_cpus": workers or os.cpu_count(), "num_gpus": 0, "include_dashboard": False}
    try:
        ray.init(**settings)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "on this machine"
        raise MachineError(
            f"expected Ray {where}, found {type(error).__name__}: {error}",
            hint="see `ray status`; a cluster that asks for tokens needs RAY_AUTH_MODE=token",
        ) from error


def _evaluate(ray: Any, remote: Any, shared: Any, jobs: Sequence[Job], at_once: int) -> Iterator[tuple[Job, Outcome]]:
    """Keeps `at_once` jobs running; a parent that jobs share is put into Ray's store once."""
    parents = {id(job.parent): job.parent for job in jobs if job.parent is not None}
    stored = {key: ray.put(parent) for key, parent in parents.items()}
    waiting = list(reversed(jobs))
    running: dict[Any, Job] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            job = waiting.pop()
            parent = None if job.parent is None else stored[id(job.parent)]
            running[remote.remote(replace(job, parent=None), parent, shared)] = job
        (done, *_), _ = ray.wait(list(running))
        job = running.pop(done)
        try:
            outcome: Outcome = ray.get(done)
        except ray.exceptions.RayTaskError as error:  # the job's own error is raised as if it had run here
            raise error.cause from error
        except ray.exceptions.RayError as error:
            raise MachineError(
                f"expected candidate {job.number} to be evaluated, found that its workers died {RETRIES + 1} times: "
                f"{type(error).__name__}",
                hint="lower --workers if memory is short; the same command goes on from here",
            ) from error
        yield job, outcome


def _with_parent(
    run: Callable[[Job, CandidateTraining], Outcome],
) -> Callable[[Job, Parent | None, CandidateTraining], Outcome]:
    def run_with_parent(job: Job, parent: Parent | None, training: CandidateTraining) -> Outcome:
        return run(replace(job, parent=parent), training)

    return run_with_parent
