"""Panel "Log": what happened, newest last."""

from __future__ import annotations

from gui_utils.toasts import log_view
from viz.panels import Panel, PanelContext
from viz.state import ViewState


def draw(state: ViewState, context: PanelContext) -> ViewState:
    log_view(context.log)
    return state


PANEL = Panel("Log", "bottom", 90, draw)
