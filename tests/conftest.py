"""Shared test settings. Times never decide whether a test passes, so hypothesis has no deadline."""

import os

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # before anyone imports OpenGL: tests draw without a display

import socketserver

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("shared")
socketserver.BaseServer.serve_forever.__defaults__ = (0.02,)  # each server that a test closes would rest for half a second


@pytest.fixture(autouse=True)
def _no_user_settings(tmp_path_factory, monkeypatch):
    """Tests never read or write the settings of the person who runs them."""
    folder = tmp_path_factory.mktemp("config", numbered=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
