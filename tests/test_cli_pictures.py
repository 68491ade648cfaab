"""Labels of the data against those of a net."""

import numpy as np
import pytest

from mobile_sdk.cli.pictures import in_order_of
from mobile_sdk.contract import Contract
from mobile_sdk.errors import DataError
from qat.data import Pictures
from qat.picture_set import PictureSet


def pictures(*labels: str) -> Pictures:
    gray = np.full((8, 8, 3), 128, np.uint8)
    some = PictureSet(sources=(gray,) * len(labels), targets=tuple(range(len(labels))))
    return Pictures(train=some, validation=some, labels=labels)


def test_fewer_labels_than_the_net_has_count_in_the_nets_order() -> None:
    contract = Contract(name="fruit", labels=("apple", "fig", "pear"))
    found = in_order_of(contract, pictures("apple", "pear"))
    assert found.labels == contract.labels
    assert found.train.targets == found.validation.targets == (0, 2)


def test_a_label_that_the_net_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="found others: kiwi"):
        in_order_of(Contract(name="fruit", labels=("apple", "pear")), pictures("apple", "kiwi"))
