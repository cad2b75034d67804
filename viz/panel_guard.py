"""A panel that fails does not take the window with it: it says what went wrong in its own place, and can be tried again."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field

from gui_utils.controls import Field, button
from gui_utils.scopes import recovering
from gui_utils.toasts import Toasts
from viz.errors import UNFORESEEN
from viz.panels import Panel, PanelContext
from viz.panels.parts import wrapped_text
from viz.state import ViewState

AGAIN = Field("Try again", "PanelGuard.again", "Draws this panel again. The log has the details.")


@dataclass
class PanelGuard:
    """Draws panels. What nobody has foreseen in one of them is told once; the panel rests until somebody asks for it again.

    The state that a failing panel was about to return is lost, and with it nothing but the gesture in hand.
    """

    toasts: Toasts
    failed: dict[str, str] = field(default_factory=dict)  # title -> what went wrong

    def draw(self, panel: Panel, state: ViewState, context: PanelContext) -> ViewState:
        if panel.title in self.failed:
            self._rest(panel)
            return state
        try:
            with recovering():
                return panel.draw(state, context)
        except Exception as e:
            self.failed[panel.title] = f"{type(e).__name__}: {e}"
            what = f'The panel "{panel.title}" {UNFORESEEN}: {self.failed[panel.title]}'
            self.toasts.add("error", what, "".join(traceback.format_exception(e)))
            return state

    def _rest(self, panel: Panel) -> None:
        wrapped_text(f"This panel failed ({self.failed[panel.title]}). Everything else goes on.", dim=False)
        if button(AGAIN):
            del self.failed[panel.title]
