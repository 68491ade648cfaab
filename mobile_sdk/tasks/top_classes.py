"""What a net's output says in one word: the label that it is surest of, or that most pixels have."""

import numpy as np
from numpy.typing import NDArray

from mobile_sdk.comparison import top1
from mobile_sdk.contract import Contract
from mobile_sdk.tasks.detection import best_labels
from mobile_sdk.tasks.segmentation import commonest_labels


def winners(outputs: NDArray[np.generic], contract: Contract) -> NDArray[np.int64]:
    """The index of that label for outputs (pictures, …), flattened or not; -1 where an output holds a NaN."""
    rows = outputs.reshape(len(outputs), -1)
    if contract.task == "classification":
        return top1(rows)
    if contract.task == "segmentation":
        side = contract.image.size_px
        return commonest_labels(rows.reshape(len(rows), side, side, contract.output_columns))
    return best_labels(rows.reshape(len(rows), -1, contract.output_columns))
