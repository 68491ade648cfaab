"""Leaves the work after a training to one of the processes that `torchrun` started."""

from qat.distributed.torchrun import is_main_process


class OtherProcess(SystemExit):
    """Ends a process that has helped to train; a script that does not catch it ends there, with exit code 0."""


def end_others() -> None:
    """Raises OtherProcess in every process but the main one, so that the work after it is done once."""
    if not is_main_process():
        raise OtherProcess(0)
