"""The command line, `ikeactors`: one function for each command, tables for people, JSON for others.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the daemon cannot be reached or does not admit us.
"""

from ikeactors.cli.run import main

__all__ = ["main"]
