"""Holds the tests of both packages in folders that mirror them, and those of the project as a whole."""

import pytest

pytest.register_assert_rewrite("tests.support")  # what they assert is explained as a test's own asserts are
