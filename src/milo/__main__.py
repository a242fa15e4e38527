"""`python -m milo` is the `milo` command."""

from __future__ import annotations

import sys

from milo.cli import main

if __name__ == "__main__":
    sys.exit(main())
