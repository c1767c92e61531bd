"""python -m gyakusan."""

import sys

from gyakusan.cli import main

sys.exit(main())
