"""Rung C: B without noise inputs."""

from __future__ import annotations

from typing import Any

from networks.configs import b
from networks.spec import GeneratorConfig

LINE = {"use_noise": False}


def config(img_resolution: int, **overrides: Any) -> GeneratorConfig:
    """Rung C at a resolution; `overrides` are fields of `GeneratorConfig`."""
    return b.config(img_resolution, **{**LINE, **overrides})
