"""`python -m skerry_operator`."""

import sys

from skerry_operator.commands import main

sys.exit(main())
