"""`python -m mobile_sdk.runtimes.litert_gpu` fetches the Vulkan that a processor computes."""

import sys

from mobile_sdk.errors import SdkError
from mobile_sdk.runtimes.litert_gpu.vulkan import make_ready

try:
    print(make_ready(lambda line: print(line, file=sys.stderr)))
except SdkError as error:
    print(f"{error.message}\n{error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
