"""The crash test's own modules are the package `crash`, as they are for the driver when it is run as a program."""

import sys
from pathlib import Path

TESTS = str(Path(__file__).resolve().parents[1])

if TESTS not in sys.path:
    sys.path.append(TESTS)
