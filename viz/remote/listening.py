"""What listens for other programs, as the command line asks: `--remote` and `--osc`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viz.app import App


def attach(app: App) -> None:
    """Raises CommandError where a port is taken, or a package is missing."""
    if app.options.remote_port is not None:
        from viz.remote import server

        server.attach(app, app.options.remote_port)
    if app.options.osc is not None:
        from viz.remote import osc

        osc.attach(app, *app.options.osc)
