"""`python -m mobile_sdk.runtimes.tflite_legacy` makes the environment of tflite-runtime."""

import sys

from mobile_sdk.errors import SdkError
from mobile_sdk.runtimes.tflite_legacy.environment import make_ready

try:
    print(make_ready(lambda line: print(line, file=sys.stderr)))
except SdkError as error:
    print(f"{error.message}\n{error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
