"""`python -m mobile_sdk.devices.emulated` fetches the emulated Cortex-A76."""

import sys

from mobile_sdk.devices.emulated import CortexA76
from mobile_sdk.errors import SdkError

try:
    CortexA76().make_ready(lambda line: print(line, file=sys.stderr))
except SdkError as error:
    print(f"{error.message}\n{error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
