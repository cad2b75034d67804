"""`python -m networks.train`: see `networks.train.command_line`."""

import sys

from networks.train.command_line import main

if __name__ == "__main__":
    sys.exit(main())
