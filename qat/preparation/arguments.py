"""Checks nets as arguments: a float net to be prepared, or a prepared one to be frozen."""

from mobile_sdk.arguments import described
from mobile_sdk.errors import SettingError
from qat.arguments.nets import expect_net
from qat.preparation.fake_quant_net import FakeQuantNet


def expect_float_net(net: object) -> None:
    """Raises SettingError if `net` is no module, or has been prepared already."""
    expect_net(net)
    if isinstance(net, FakeQuantNet):
        raise SettingError(
            f"expected a float net, found a {type(net).__name__}, which is prepared already",
            hint="give the float net that it was prepared from, or freeze this one",
        )


def expect_prepared(net: object) -> None:
    """Raises SettingError if `net` does not come from `prepare`."""
    if not isinstance(net, FakeQuantNet):
        raise SettingError(
            f"expected a net from qat.prepare, found {described(net)}",
            hint="prepare it: qat.prepare(net, contract); or use qat.quantize, which does it all",
        )
