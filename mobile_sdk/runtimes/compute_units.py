"""Chooses the processors that Core ML may use, here on a Mac or in the demo app on an iPhone.

The choice holds for this process and for those that it starts, which open the models: it is kept in the environment.
"""

import os

from mobile_sdk.errors import SettingError

VARIABLE = "MOBILE_SDK_COMPUTE"
UNITS = {  # as --compute names them: as coremltools and as the app do
    "all": ("ALL", "all"),
    "cpu": ("CPU_ONLY", "cpu_only"),
    "gpu": ("CPU_AND_GPU", "cpu_and_gpu"),
    "neural-engine": ("CPU_AND_NE", "cpu_and_neural_engine"),
}


def choose(name: str | None) -> None:
    """Keeps the choice for this process and those that it starts; None leaves each model its own."""
    if name is None:
        os.environ.pop(VARIABLE, None)
        return
    _check(name)
    os.environ[VARIABLE] = name


def chosen() -> str | None:
    """Returns what was chosen, None if nothing was. Raises SettingError for a value that is none."""
    name = os.environ.get(VARIABLE)
    if name is not None:
        _check(name)
    return name


def coremltools_unit(*, cpu_only: bool) -> str:
    """Returns the name of coremltools' ComputeUnit: the chosen one, or else what the model is for."""
    name = chosen() or ("cpu" if cpu_only else "all")
    return UNITS[name][0]


def app_fields() -> dict[str, str]:
    """Returns the field of a request to the demo app; none if nothing was chosen."""
    name = chosen()
    return {} if name is None else {"compute_units": UNITS[name][1]}


def _check(name: str) -> None:
    if name not in UNITS:
        raise SettingError(f"expected processors of {', '.join(UNITS)}, found {name!r:.80}", hint="choose one of these")
