"""`python -m mobile_sdk` is `mobile-sdk`."""

from mobile_sdk.cli import main

if __name__ == "__main__":
    main()
