"""The alias-free visualizer: `python visualizer.py` opens the window, `python visualizer.py --help` lists the rest."""

import atexit
import os
import signal
import sys
from pathlib import Path

MINIMUM = (3, 11)


def main(argv=None):
    """Runs the command line; returns the exit code. Kept free of newer syntax, so that an old Python can say what it needs."""
    if sys.version_info < MINIMUM:
        have = ".".join(str(n) for n in sys.version_info[:3])
        print("Python 3.11 or newer is needed; this is Python %s. Try: python3.11 visualizer.py" % have, file=sys.stderr)  # noqa: UP031
        return 1
    if argv is None and not prepare_process():
        return 1
    # Threads that wait for each other sleep instead of spinning: other programs keep their cores. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # what Metal cannot do is done on the processor instead of not at all
    here = str(Path(__file__).resolve().parent)
    if here not in sys.path:  # python -I, python -P
        sys.path.insert(0, here)
    from viz.cli import run

    if argv is not None:
        return run(argv)
    return leave(run(sys.argv[1:]))


def prepare_process():
    """Output that a terminal's encoding lacks (cp1252 has no minus sign) is replaced; who is told to end closes files and saves first.

    False where nothing can work, which was said then.
    """
    for name in ("stdout", "stderr"):  # None where they are closed, and for pythonw on Windows
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    try:
        Path.cwd()
    except OSError:
        print("The current folder no longer exists: change to another one (cd), then try again.", file=sys.stderr)
        return False
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", dict)(errors="replace")  # whoever has put another stream there is left alone
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, _end)
    return True


def leave(code):
    """Ends the process now. Taking torch apart, module by module, takes a second, and everything is closed and saved by then."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            pass
        except OSError as error:
            print("visualizer.py: %s" % error, file=sys.stderr)  # noqa: UP031
            code = code or 1
    os._exit(code)


def _end(number, frame):
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
