"""python -m gyakusan."""

import sys

from gyakusan.cli import program

sys.exit(program())
