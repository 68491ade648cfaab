"""Silences native libraries that write to the process's standard error, past Python."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Holds back what is written to file descriptor 2 and to `sys.stderr`, and passes it on only if the block fails.

    In a notebook and under pytest the two are not one: bindings in C++ may write to either.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            with open(os.dup(sink.fileno()), "w", encoding="utf-8") as text, redirect_stderr(text):
                yield
        except BaseException:
            os.dup2(kept, 2)
            sink.seek(0)
            os.write(2, sink.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
