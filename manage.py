#!/usr/bin/env python3
"""Django's entry point; with nothing but python3 it first builds `.venv` from the locked requirements.

The preamble must stay readable for any Python 3, or an old one would show a syntax error instead of the
sentence below; everything else lives in `runtime`.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this line is what an older Python gets to see
    sys.exit("Tallystick needs Python 3.11 or later; this is %d.%d." % sys.version_info[:2])  # noqa: UP031

from runtime import bootstrap

PROJECT = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib only to throw it away


def main() -> None:
    """Make sure that the dependencies are there, then run the command with what it needs."""
    bootstrap.ensure_dependencies(PROJECT, sys.argv)
    from runtime import launcher  # noqa: PLC0415 - it imports Django, which only now is sure to exist

    launcher.run(PROJECT, sys.argv)


if __name__ == "__main__":
    main()
