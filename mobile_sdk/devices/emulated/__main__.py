"""`python -m mobile_sdk.devices.emulated` fetches the emulated Arm cores."""

import sys

from mobile_sdk.devices.emulated import emulated_cores
from mobile_sdk.errors import SdkError

try:
    emulated_cores()[0].make_ready(lambda line: print(line, file=sys.stderr))
except SdkError as error:
    print(f"{error.message}\n{error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
