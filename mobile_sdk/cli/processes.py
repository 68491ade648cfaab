"""What the verbs do where `torchrun` has started several processes: they train together, and one does the rest."""

import time

import typer

from qat.distributed.torchrun import is_main_process, process_count, process_rank

PATIENCE_S = 3.0  # torchrun looks after its processes ten times a second


def end_others() -> None:
    """Ends every process but the main one, without an error: what follows is done once."""
    if not is_main_process():
        raise typer.Exit(0)


def speaker() -> str:
    """What an error of this process begins with: nothing in the main one.

    The others wait first: where the main process has failed too, torchrun ends them, and what all have found is said
    once.
    """
    if is_main_process():
        return ""
    time.sleep(PATIENCE_S)
    return f"process {process_rank()} of {process_count()}: "
