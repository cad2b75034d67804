"""Reads back the session that an exported file carries."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from viz import capture, session
from viz.encoders import COMMENT_START, SESSION_KEY, SUFFIXES, video_library
from viz.session import Session
from viz.state import StateError


def read(path: Path) -> Session:
    """The session in a .json file, in a film or picture of this program, or in a folder of exported frames.

    Raises StateError where there is none, OSError where the file cannot be read.
    """
    if path.is_dir():
        return session.load(path / "session.json")
    suffix = path.suffix.lower()
    if suffix not in (".png", *SUFFIXES):
        return session.load(path)
    path.stat()  # a file that is not there says so itself
    text = _in_picture(path) if suffix in (".png", ".gif") else _in_film(path)
    if text is None:
        raise StateError(f"{path.name} holds no session: only files exported by this program do")
    return Session.from_json(text)


def _in_picture(path: Path) -> str | None:
    try:
        with Image.open(path) as picture:
            texts = getattr(picture, "text", {})
            if picture.format == "GIF":
                return _gif_session(path)
    except (OSError, SyntaxError, ValueError) as e:
        raise StateError(f"{path.name} is not a readable picture: {e}") from e
    return texts.get(SESSION_KEY) or texts.get(capture.KEY)


def _gif_session(path: Path) -> str | None:
    """The session in the comment block that `encoders.add_gif_comment` has put at the end."""
    data = path.read_bytes()
    at = data.rfind(COMMENT_START) - 1
    comment = b""
    while 0 <= at < len(data) and data[at]:
        comment += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    try:
        return json.dumps(json.loads(comment)["session"])
    except (ValueError, KeyError, TypeError):
        return None


def _in_film(path: Path) -> str | None:
    av = video_library()
    try:
        with av.open(str(path)) as container:
            metadata = {key.lower(): value for key, value in container.metadata.items()}
    except av.FFmpegError as e:
        raise StateError(f"{path.name} is not a readable film: {e}") from e
    return metadata.get("description")
