"""`python -m ikeactors.cli`, for where no script is installed."""

import sys

from ikeactors.cli import main

sys.exit(main())
