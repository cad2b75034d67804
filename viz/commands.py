"""Effects that panels, keys and the menu ask for. A panel returns a state and may emit commands; `viz.app` carries them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OpenNetwork:
    """Load this network: a path, a URL, or the name of a bundled or published one."""

    ref: str


@dataclass(frozen=True)
class OpenFile:
    """Ask for a file (network, saved view or captured PNG) with the system's dialog, or the built-in one."""


@dataclass(frozen=True)
class OpenPath:
    """Open a file by what it is: a network, a saved view, a captured PNG."""

    path: str


@dataclass(frozen=True)
class OpenDirections:
    """Open a file of directions in W, or ask for one ("")."""

    path: str = ""


@dataclass(frozen=True)
class OpenLastSession:
    """Open what was saved by itself until the program ended last time."""


@dataclass(frozen=True)
class ReloadNetwork:
    """Read the current network from disk again."""


@dataclass(frozen=True)
class CancelLoad:
    """Stop loading; the previous network stays."""


@dataclass(frozen=True)
class CapturePicture:
    """Save what the canvas shows at the network's resolution, with the view inside."""


@dataclass(frozen=True)
class CaptureWindow:
    """Save the whole window as it is drawn."""


@dataclass(frozen=True)
class SaveRaw:
    """Save the raw float32 values of the shown layer as .npy."""


@dataclass(frozen=True, eq=False)
class SaveMeasurement:
    """Save the numbers of a measurement as .npz, with its axes, and beside it a .png figure with the view inside."""

    what: str
    arrays: Mapping[str, Any]
    figure: Callable[[], Any]  # makes uint8 [H, W, 3]


@dataclass(frozen=True)
class SaveValues:
    """Save what is shown as float32 values: the picture as linear light, anything else as computed, as .exr."""


@dataclass(frozen=True)
class SaveView:
    """Save the view as JSON."""


@dataclass(frozen=True)
class StartExport:
    """Render the session's film in the background, into the captures folder. `kind` is a suffix without its dot; "png" and "exr" are
    sequences. `what` and `window` as in `viz.export.options.ExportOptions`.
    """

    session: Any  # viz.session.session.Session
    kind: str
    size: int = 1
    lossless: bool = False
    what: str = "picture"
    window: tuple[int, int] = (1600, 900)


@dataclass(frozen=True)
class ResumeExport:
    """Go on with the export that was stopped, or that failed, where it was."""


@dataclass(frozen=True)
class DiscardExport:
    """Forget the export that was stopped, and the frames kept for it."""


@dataclass(frozen=True)
class CancelExport:
    """Stop the export after the frame in hand."""


@dataclass(frozen=True)
class SaveSession:
    """Save views, timeline, networks, layout and settings as JSON: of this session, or as they are."""

    session: Any = None  # viz.session.session.Session


@dataclass(frozen=True)
class SaveLatent:
    """Save the latent on screen as ws, and as w and z where it is one of them. `suffix`: .npz, .npy or .safetensors."""

    suffix: str = ".npz"


@dataclass(frozen=True, eq=False)
class UseLatent:
    """Save these ws [1, num_ws, w_dim] and show them in place of the seeds; `then` are groups of the view that come with them."""

    ws: Any
    then: tuple[Any, ...] = ()


@dataclass(frozen=True)
class MakeFigure:
    """Draw one of the paper's figures (a name of `viz.figures.paper.FIGURES`) from the view on screen, in the background."""

    name: str
    suffix: str = ".svg"


@dataclass(frozen=True)
class CopyView:
    """Put the view as JSON into the clipboard."""


@dataclass(frozen=True)
class Paste:
    """Open what the clipboard holds: a view or a session as JSON, a path, or an address."""


@dataclass(frozen=True)
class CopyText:
    text: str


@dataclass(frozen=True)
class ChooseWorkspace:
    number: int  # 1 to 6


@dataclass(frozen=True)
class ResetLayout:
    """Put the panels of this workspace back where they stood at first."""


@dataclass(frozen=True)
class ChangeSettings:
    """Replace fields of `viz.settings.Settings`."""

    changes: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Bookmark:
    """Remember the current latent."""


@dataclass(frozen=True)
class Undo:
    pass


@dataclass(frozen=True)
class Redo:
    pass


@dataclass(frozen=True)
class StopMotion:
    """Nothing moves by itself any more: neither the view nor the timeline."""


@dataclass(frozen=True)
class ToggleHelp:
    pass


@dataclass(frozen=True)
class StartTour:
    """Begin the guided tour, again if it was seen before."""


@dataclass(frozen=True)
class ShowSticking:
    """Show texture sticking and its cure side by side, or go back to what was on screen before.

    `over` "pose": both are told to move; "latents": both walk around a latent, and the means of their pictures are shown.
    """

    over: str = "pose"


@dataclass(frozen=True)
class ShowGuide:
    """Open the user guide, or close it."""


@dataclass(frozen=True)
class ToggleChrome:
    """Hide or show everything but the picture."""


@dataclass(frozen=True)
class ToggleFullscreen:
    """Fill the screen with the window, or put it back."""


@dataclass(frozen=True)
class ToggleOutput:
    """Open or close the window that shows the picture alone."""


@dataclass(frozen=True)
class ToggleSpectrum:
    """The spectrum on, its panel in front; or off."""


@dataclass(frozen=True)
class ToggleCompare:
    """Show other views beside this one, or not; a comparison that would show the same twice begins with a natural partner."""


@dataclass(frozen=True)
class RetryRender:
    """Render the current view again although nothing changed (after an error)."""


@dataclass(frozen=True)
class Quit:
    pass


Command = (
    OpenNetwork
    | OpenFile
    | OpenPath
    | OpenDirections
    | OpenLastSession
    | ReloadNetwork
    | CancelLoad
    | CapturePicture
    | CaptureWindow
    | SaveRaw
    | SaveValues
    | SaveMeasurement
    | SaveView
    | StartExport
    | CancelExport
    | ResumeExport
    | DiscardExport
    | SaveSession
    | CopyText
    | SaveLatent
    | UseLatent
    | MakeFigure
    | CopyView
    | Paste
    | ChooseWorkspace
    | ResetLayout
    | ChangeSettings
    | Bookmark
    | Undo
    | Redo
    | StopMotion
    | ToggleHelp
    | StartTour
    | ShowSticking
    | ShowGuide
    | ToggleChrome
    | ToggleFullscreen
    | ToggleOutput
    | ToggleCompare
    | ToggleSpectrum
    | RetryRender
    | Quit
)

OF_WHAT_IS_SHOWN = (CapturePicture, SaveRaw, SaveValues, SaveMeasurement, SaveLatent, MakeFigure, Bookmark)
"""What must not be done of another picture than the one that is seen (`viz.canvas.overlay.keep_first`)."""
