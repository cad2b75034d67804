"""The command line: opens the window, or works without one. Every number a flag takes has the unit its help names."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from viz.errors import sentence
from viz.session import origin

PROGRAM = "visualizer.py"
COMMANDS = (  # name, summary, module, suffix of its `add<suffix>_arguments(parser)` and `run<suffix>(options)`
    ("window", "open the window (the default)", "viz.cli.window", "_window"),
    ("render", "render one picture or layer to a .png, .exr or .npy file", "viz.cli.render", "_render"),
    ("view", "render a saved view (JSON, or the view inside any file of this program)", "viz.cli.render", "_view"),
    ("play", "render a session as a film, or make a film again from its own file", "viz.cli.play", "_play"),
    ("record", "render a ready-made path (rotation, circle, loop through seeds) as a film", "viz.cli.play", "_record"),
    ("inspect", "print a network's configuration, layers and parameters", "viz.cli.network", "_inspect"),
    ("convert", "write a network as .safetensors (weights and constructor arguments)", "viz.cli.network", "_convert"),
    ("screenshot", "draw the whole window to a file, without a display", "viz.cli.window", "_screenshot"),
    ("metrics", "measure equivariance: EQ-T, EQ-T_frac, EQ-R", "viz.analysis.metrics_cli", ""),
    ("equivariance", "how well one picture follows its pose: PSNR, and the error as a picture", "viz.analysis.pose_cli", "_equivariance"),
    (
        "sticking",
        "average pictures around a latent: the share of detail kept because it sticks to the pixels",
        "viz.analysis.sticking_cli",
        "",
    ),
    ("slice", "stack one line of the picture over a motion: the share of its detail that stands still", "viz.analysis.slice_cli", ""),
    ("profile", "the values along one line of the picture or of a layer", "viz.analysis.profile_cli", ""),
    ("flow", "which way fine detail moves when the pose moves, and how much of it stays attached", "viz.analysis.pose_cli", "_flow"),
    ("flicker", "what flickers while the picture moves by fractions of a pixel", "viz.analysis.pose_cli", "_flicker"),
    ("by-layer", "equivariance of one view at every layer", "viz.analysis.pose_cli", "_by_layer"),
    ("sweep", "equivariance of one latent over shifts from 0 to 1 pixel, or over all angles", "viz.analysis.pose_cli", "_sweep"),
    ("nonlinearity", "spectra inside a layer: harmonics made, removed, and folded back", "viz.analysis.layers_cli", "_nonlinearity"),
    ("out-of-band", "at every layer, the power beyond f_c, beyond f_t, and folded back", "viz.analysis.layers_cli", "_out_of_band"),
    ("health", "at every layer, what 16 bits change, what the clamp cuts off, and dead channels", "viz.analysis.layers_cli", "_health"),
    ("channel-effect", "how much the picture changes without each channel of a layer", "viz.analysis.layers_cli", "_channel_effect"),
    (
        "design",
        "the layers of a configuration of the paper at any resolution, without a network",
        "viz.cli.design",
        "_design",
    ),
    ("filters", "taps, responses and design of every layer's filters", "viz.analysis.design_cli", "_filters"),
    ("fourier", "the waves of the Fourier input under a pose", "viz.analysis.design_cli", "_fourier"),
    ("break-it", "what breaking layers costs, in dB and in time", "viz.analysis.design_cli", "_break_it"),
    ("invert", "look for the latent whose picture comes closest to one of your own", "viz.cli.invert", "_invert"),
    ("drag-points", "move what is under handle points to target points, by changing the latent", "viz.cli.drag_points", "_drag_points"),
    ("figure", "draw one of the paper's figures for a network, as SVG, PDF or PNG", "viz.cli.figure", "_figure"),
    ("spectrum", "average power spectrum of a network or of a folder of pictures", "viz.analysis.spectrum_cli", ""),
)
EPILOG = """\
Without a command the window opens: visualizer.py [NETWORK ...].
NETWORK is a path (.pkl, .safetensors, or a folder of snapshots), a URL, or a name that --list shows.
Exit codes: 0 done, 1 failed (one sentence says why), 2 wrong usage, 130 interrupted, 129 or 143 told to end (SIGHUP, SIGTERM).
"""
INSTALL = "Activate the environment it was installed into (. .venv/bin/activate), or install it: python -m pip install -e . in its folder."


class CommandParser(argparse.ArgumentParser):
    """Wrong usage is one line: it names the command, and what was probably meant."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}{'' if message.endswith('?') else '.'} {self.prog} --help lists what there is.\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, left = super().parse_known_args(args, namespace)
        if left:
            near = difflib.get_close_matches(left[0].partition("=")[0], self._option_string_actions, n=1, cutoff=0.75)
            what = f"there is no option {left[0]}" if left[0].startswith("-") else f"{left[0]} is one argument too many"
            self.error(f"{what}; did you mean {near[0]}?" if near else what)
        return found, left


def run(argv: list[str]) -> int:
    """Runs one command. Errors that a user can cause end with one clear sentence on stderr, not with a traceback."""
    try:
        options = _parsed(argv)
        return options.function(options)
    except KeyboardInterrupt as e:
        print(f"Interrupted. {e}".rstrip(), file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except ModuleNotFoundError as e:
        if (e.name or "").split(".")[0] in ("viz", "gui_utils", "networks", "torch_utils"):
            raise
        print(f"{PROGRAM}: this Python ({sys.executable}) has no package {e.name}. {INSTALL}", file=sys.stderr)
        return 1
    except Exception as e:
        if not known_error(e):
            raise
        print(f"{PROGRAM}: {sentence(e)}", file=sys.stderr)
        return 1


def _parsed(argv: list[str]) -> argparse.Namespace:
    """The window's command where none is named. Ends the process on wrong usage."""
    parser = build_parser()
    commands = command_names(parser)
    first = next((a for a in argv if not a.startswith("-")), None)
    if first not in commands and not {"-h", "--help"} & set(argv):
        if meant := _misspelt(first, commands):
            parser.error(f"there is no command {first}; did you mean {meant}?")
        argv = ["window", *argv]
    options = parser.parse_args(argv)
    if argv[0] != "window":
        origin.note_command(argv)
    return options


def _misspelt(word: str | None, commands: tuple[str, ...]) -> str:
    """The command that someone meant who wrote this; "" for what may be a network or a file."""
    from networks.loading import catalogue

    if word is None or not word.replace("-", "").isalpha() or Path(word).exists() or any(entry.name == word for entry in catalogue()):
        return ""
    return next(iter(difflib.get_close_matches(word, commands, n=1)), "")


def known_error(error: Exception) -> bool:
    """Whether this error's own text is meant for users. Names are compared so that torch is imported by no one else."""
    names = {"CommandError", "LoadError", "LoadCancelled", "StateError", "WindowError", "DeviceError", "BackendError", "OutOfMemoryError"}
    return isinstance(error, OSError) or any(cls.__name__ in names for cls in type(error).__mro__)


def build_parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=PROGRAM,
        description="See whether a generator is alias-free.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary, module, prefix in COMMANDS:
        _add(commands, name, summary, importlib.import_module(module), prefix)
    return parser


def command_names(parser: argparse.ArgumentParser) -> tuple[str, ...]:
    actions = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return tuple(name for action in actions for name in action.choices)


def _add(commands: argparse._SubParsersAction, name: str, summary: str, code: ModuleType, suffix: str) -> None:
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False)
    add: Callable[[argparse.ArgumentParser], None] = getattr(code, f"add{suffix}_arguments")
    add(parser)
    parser.set_defaults(function=getattr(code, f"run{suffix}"))
