"""`python -m mobile_sdk.devices.emulated` fetches the emulated Cortex-A76."""

import sys

from mobile_sdk.devices.emulated.machine import make_machine
from mobile_sdk.errors import SdkError

try:
    print(make_machine(lambda line: print(line, file=sys.stderr)).folder)
except SdkError as error:
    print(f"{error.message}\n{error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
