"""Lists the processors that are emulated: one for each kind of int8 kernels that phones' processors have."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Core:
    """Describes a processor: its name in `emulated:NAME`, what the emulator is told, and what its products are."""

    name: str
    cpu: str  # the emulator's own name, with what is set
    products: str


CORES = (
    Core(name="cortex-a76", cpu="cortex-a76", products="dot products, as phones have had since 2018"),
    Core(name="cortex-a710", cpu="cortex-a710", products="matrix products (i8mm), as phones have had since 2022"),
    Core(
        name="max",  # no real core: everything that the emulator has
        cpu="max,sme-default-vector-length=64",  # bytes, as Apple's M4 and Arm's C1 have
        products="outer products (SME2), as iPhones have from the 16 on and phones with Arm's C1",
    ),
)
