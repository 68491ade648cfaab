"""Answers as MediaPipe does: `mediapipe_tasks.py TASK MODEL PICTURES.npy`, by the other environment's Python.

It prints one JSON list: what the task says of every picture, or, as its only item, why it refuses the model.
"""

import json
import sys
from typing import Any

import mediapipe  # type: ignore[import-not-found]
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision  # type: ignore[import-not-found]


def classify(options: Any, picture: Any) -> Any:
    """Label and share, best first."""
    asked = vision.ImageClassifierOptions(base_options=options, max_results=-1)
    with vision.ImageClassifier.create_from_options(asked) as task:
        categories = task.classify(picture).classifications[0].categories
    return [(each.category_name, each.index, each.score) for each in categories]


def detect(options: Any, picture: Any) -> Any:
    """Label, share and box (left, top, width, height in whole pixels), best first."""
    with vision.ObjectDetector.create_from_options(vision.ObjectDetectorOptions(base_options=options)) as task:
        found = task.detect(picture).detections
    boxes = [each.bounding_box for each in found]
    places = [(box.origin_x, box.origin_y, box.width, box.height) for box in boxes]
    return [
        (each.categories[0].category_name, each.categories[0].score, place)
        for each, place in zip(found, places, strict=True)
    ]


def segment(options: Any, picture: Any) -> Any:
    """The labels, every label's mask of shares, and the mask of labels."""
    asked = vision.ImageSegmenterOptions(base_options=options, output_confidence_masks=True, output_category_mask=True)
    with vision.ImageSegmenter.create_from_options(asked) as task:
        found, labels = task.segment(picture), list(task.labels)
        shares = [mask.numpy_view().squeeze().tolist() for mask in found.confidence_masks]
        return labels, shares, found.category_mask.numpy_view().squeeze().tolist()


def main(task: str, model: str, pictures: str) -> None:
    """Prints the answers."""
    answer = {"classify": classify, "detect": detect, "segment": segment}[task]
    options = BaseOptions(model_asset_path=model)
    try:
        shown = [mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=each) for each in np.load(pictures)]
        answers = [answer(options, each) for each in shown]
    except (RuntimeError, ValueError) as error:
        answers = [str(error)]
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
