"""Names the process that an error comes from, if `torchrun` has started several."""

import time

from qat.distributed.torchrun import is_main_process, process_count, process_rank

PATIENCE_S = 3.0  # torchrun checks its processes ten times a second


def speaker() -> str:
    """Returns the words that an error of this process begins with: none in the main one.

    The others wait first: if the main process has failed too, torchrun ends them, and their common error is shown once.
    """
    if is_main_process():
        return ""
    time.sleep(PATIENCE_S)
    return f"process {process_rank()} of {process_count()}: "
