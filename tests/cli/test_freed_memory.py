"""Freed tensors' memory stays in the process, so that the kernel clears no pages for the next ones."""

import sys

import pytest

from tests.support import child_process

PROGRAM = """
import resource, sys
import numpy as np
from mobile_sdk.cli.freed_memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
np.zeros(2**24, np.float32).fill(1)  # 64 MiB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    np.empty(2**24, np.float32).fill(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    done = child_process.run([sys.executable, "-c", PROGRAM, how])
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the setting")
def test_memory_of_a_freed_tensor_serves_the_next_without_a_page_fault() -> None:
    assert page_faults("kept") < 64 < page_faults("given back")
