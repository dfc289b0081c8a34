"""``python -m pnc``: the commands of pnc."""

import sys

from pnc.commands import main

sys.exit(main())
