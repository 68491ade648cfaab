"""Which of the processes that `torchrun` started this one is, as it tells each in its environment."""

import os


def process_count() -> int:
    """How many processes train together, over all machines; 1 where nobody started several."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def process_rank() -> int:
    """This process's number among them, from 0."""
    return int(os.environ.get("RANK", "0")) if process_count() > 1 else 0


def is_main_process() -> bool:
    """Whether this process writes files and news: process 0 does, and one that is alone."""
    return process_rank() == 0
