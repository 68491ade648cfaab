"""Keeps freed memory in the process: PyTorch's tensors come and go by the layer, and new pages cost more than the sums.

glibc gives every block over 32 MiB at most back to the kernel as soon as it is freed, and the kernel clears each page
of the next one. Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_LARGEST_BYTES = 2**30


def keep_freed_memory() -> None:
    """Makes the C library keep blocks of up to 1 GiB for later tensors; does nothing where it has no `mallopt`."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST_BYTES)
