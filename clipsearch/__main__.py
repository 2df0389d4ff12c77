"""Run the command line as `python -m clipsearch`."""

import sys

from clipsearch.cli import main

sys.exit(main())
