"""`python -m compress` is `edge-compress`."""

import sys

from compress.cli import main

sys.exit(main())
