"""What a test needs of the machine: without it the test is skipped, and fails where everything has to be tested."""

import os
import shutil

import pytest


def need(*programs: str) -> None:
    """Skip the test where one of ``programs`` (or names of the same) is missing; with CI set it fails."""
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        lacks(f"it needs {' and '.join(missing)}")


def lacks(why: str) -> None:
    """Skip the test for the reason ``why``; with CI set it fails."""
    if os.environ.get("CI"):
        pytest.fail(f"This test cannot be skipped where CI is set: {why}.")
    pytest.skip(why)
