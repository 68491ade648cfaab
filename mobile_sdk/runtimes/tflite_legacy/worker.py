"""Runs as tflite-runtime's process: `worker.py MODEL THREADS`, by the other environment's Python.

It sees tflite_runtime and numpy 1, not this package. It writes one JSON line about the model, {"input": {dtype, shape},
"outputs": […]} or {"refused": why}; then it answers each picture, as many bytes as the input has, with the outputs'
bytes.
"""

import json
import os
import sys
from typing import Any

from tflite_runtime.interpreter import Interpreter  # type: ignore[import-not-found]


def main(model: str, threads: int) -> int:
    """Serves until standard input ends."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever the runtime prints must not mix with replies
    try:
        interpreter = Interpreter(model_path=model, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        _say(replies, {"refused": str(error).splitlines()[0]})
        return 1
    source, targets = interpreter.get_input_details()[0], interpreter.get_output_details()
    _say(replies, {"input": _described(source), "outputs": [_described(target) for target in targets]})
    into = interpreter.tensor(source["index"])
    while picture := sys.stdin.buffer.read(into().nbytes):
        into().view("uint8").reshape(-1)[:] = bytearray(picture)
        interpreter.invoke()
        for target in targets:
            replies.write(interpreter.get_tensor(target["index"]).tobytes())
        replies.flush()
    return 0


def _described(details: Any) -> Any:
    dtype = details["dtype"](0).dtype.name
    return {"name": details["name"], "dtype": dtype, "shape": [int(size) for size in details["shape"]]}


def _say(replies: Any, message: Any) -> None:
    replies.write(json.dumps(message).encode() + b"\n")
    replies.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
