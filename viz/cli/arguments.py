"""What several commands take: the types of their arguments, where to compute, the file a result goes to."""

from __future__ import annotations

import argparse
import ipaddress
import math
import os
from collections.abc import Callable
from pathlib import Path

from viz.errors import CommandError
from viz.state import Truncation


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda or mps (default auto)")
    parser.add_argument("--backend", metavar="B", default="auto", help="kernel backend: auto, reference, ... (default auto)")


def check_out(out: Path, suffixes: tuple[str, ...], option: str = "--out") -> None:
    """Before anything is computed: CommandError for a file that could not be written."""
    if out.suffix.lower() not in suffixes:
        expected = f"{'one of ' if len(suffixes) > 1 else ''}{', '.join(suffixes)}"
        raise CommandError(f"{option} {out.name} ends in {out.suffix or 'nothing'}; {expected} is expected")
    if out.parent != Path() and not out.parent.is_dir():
        raise CommandError(f"{option}: the folder {out.parent} does not exist")
    if out.is_dir():
        raise CommandError(f"{option}: {out} is a folder")
    if not os.access(out.parent, os.W_OK):
        raise CommandError(f"{option}: nothing can be written to the folder {out.parent} (no permission)")


def natural(text: str) -> int:
    return _whole(text, 0)


def at_least_one(text: str) -> int:
    return _whole(text, 1)


def _whole(text: str, low: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < low:
        raise argparse.ArgumentTypeError(f"{value} is too small; at least {low} is expected")
    return value


def number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def in_range_of(kind: type, field: str) -> Callable[[str], float]:
    """A number that this field of a saved view takes."""
    limits = kind.__dataclass_fields__[field].metadata

    def parse(text: str) -> float:
        value = number(text)
        if not limits["low"] <= value <= limits["high"]:
            raise argparse.ArgumentTypeError(f"{value:g} is out of range; from {limits['low']} to {limits['high']} is expected")
        return value

    return parse


psi_number = in_range_of(Truncation, "psi")


def seed_number(text: str) -> int:
    """What numpy.random.RandomState takes."""
    value = _whole(text, 0)
    if value >= 2**32:
        raise argparse.ArgumentTypeError(f"{value} is not a seed; 0 to {2**32 - 1} is expected")
    return value


def channel_list(text: str) -> tuple[int, ...]:
    try:
        channels = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not I or I,J,K") from None
    if len(channels) not in (1, 3) or min(channels) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: one channel, or three, counted from 0")
    return channels


def osc_place(text: str) -> tuple[str, int]:
    """9000 is this machine only; 0.0.0.0:9000 or [::1]:9000 is that interface."""
    host, colon, port = text.rpartition(":")
    try:
        host = str(ipaddress.ip_address(host.strip("[]"))) if colon else "127.0.0.1"
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither PORT nor ADDRESS:PORT, such as 9000 or 192.168.1.5:9000") from None
    if not (port.isdecimal() and len(port) < 6 and int(port) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r}: a port from 0 to 65535 is expected")
    return host, int(port)


def size_pair(text: str) -> tuple[int, int]:
    """1600x900."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 64 <= int(width) <= 16384 and 64 <= int(height) <= 16384):
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, from 64 to 16384 pixels each")
    return int(width), int(height)
