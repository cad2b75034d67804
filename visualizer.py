"""The alias-free visualizer: `python visualizer.py` opens the window, `python visualizer.py --help` lists the rest."""

import os
import sys

MINIMUM = (3, 11)


def main(argv=None):
    """Runs the command line; returns the exit code. Kept free of newer syntax, so that an old Python can say what it needs."""
    if sys.version_info < MINIMUM:
        have = ".".join(str(n) for n in sys.version_info[:3])
        print("Python 3.11 or newer is needed; this is Python %s. Try: python3.11 visualizer.py" % have, file=sys.stderr)  # noqa: UP031
        return 1
    # Threads that wait for each other sleep instead of spinning: other programs keep their cores. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from viz.cli import run

    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
