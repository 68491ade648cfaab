"""Runs on the emulated core: `worker.py MODEL PICTURES.npy SCORES.npy`. It sees numpy and LiteRT, not this package."""

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

REFUSED = 6


def main(model: str, given: str, computed: str) -> int:
    """Writes the scores (pictures, classes) of every picture; returns 6 where LiteRT refuses the model."""
    pictures = np.load(given)
    try:
        interpreter = Interpreter(model_path=model, num_threads=1)
        interpreter.allocate_tensors()
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        interpreter.set_tensor(source["index"], pictures[:1])
    except (ValueError, RuntimeError) as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        return REFUSED
    scores = []
    for picture in pictures:
        interpreter.set_tensor(source["index"], picture[np.newaxis])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(target["index"])[0])
    with Path(computed).open("wb") as file:
        np.save(file, np.stack(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
