"""Reads back the session that an exported file carries."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.sax.saxutils import unescape

from torch_utils.picture_file import opened_picture
from viz import capture
from viz.errors import CommandError
from viz.export import exr_file
from viz.export.encoders import COMMENT_START, SESSION_KEY, SUFFIXES, video_library
from viz.latent_file import check_members
from viz.session import origin, session
from viz.session.session import Session
from viz.state import StateError

LARGEST_FIGURE = 256 << 20
LARGEST_COMMENT = 65 << 20  # of a GIF, at its end
CONTAINERS = {".mp4": "mp4", ".webm": "matroska"}  # by suffix; left alone, FFmpeg takes what begins like a playlist for one, and follows it


def read(path: Path) -> Session:
    """The session in a .json file, in whatever this program exported, or in a folder of exported frames.

    Raises StateError where there is none, OSError where the file cannot be read.
    """
    if path.is_dir():
        return session.load(path / "session.json")
    suffix = path.suffix.lower()
    readers = {".png": _in_picture, **dict.fromkeys(SUFFIXES, _in_film), ".gif": _in_picture, ".exr": _in_values,
               ".svg": _in_text, ".pdf": _in_text, ".npz": _in_arrays, ".npy": _beside}  # fmt: skip
    if suffix not in readers:
        try:
            return session.load(path)
        except StateError as e:
            raise StateError(f"{path.name}: {e}") from e
    path.stat()  # a file that is not there says so itself
    try:
        text = readers[suffix](path)
    except (StateError, CommandError, OSError):
        raise
    except Exception as e:  # the border to files: what reads one raises many things that its documentation does not name
        raise StateError(f"{path.name} cannot be read: {type(e).__name__}: {str(e)[:200]}") from e
    if text is None:
        raise StateError(f"{path.name} holds no session: only files exported by this program do")
    return Session.from_json(text)


def command_in(path: Path) -> str:
    """The command by which a film, or a folder of frames, makes itself again; "" where there is none."""
    try:
        if path.is_dir():
            return command_in(next(p for p in sorted(path.iterdir()) if p.suffix in (".png", ".exr")))
        match path.suffix.lower():
            case ".gif":
                return str(json.loads(_gif_comment(path))["command"])
            case ".exr":
                return exr_file.read_texts(path).get(capture.COMMAND_KEY, "")
            case ".png":
                with opened_picture(path) as picture:
                    return getattr(picture, "text", {}).get(capture.COMMAND_KEY, "")
            case suffix if suffix in SUFFIXES:
                return _film_texts(path).get("comment", "")
    except Exception:  # the border to files, as in `read`, which says what is wrong with them
        pass
    return ""


def _in_values(path: Path) -> str | None:
    try:
        texts = exr_file.read_texts(path)
    except ValueError as e:
        raise StateError(f"{path.name} is not a readable OpenEXR file: {e}") from e
    return texts.get(SESSION_KEY) or texts.get(capture.KEY)


def _in_text(path: Path) -> str | None:
    """What `viz.figures.drawing_file` has written into a figure."""
    if path.stat().st_size > LARGEST_FIGURE:
        raise StateError(f"{path.name} is too large to be a figure of this program")
    data = path.read_bytes()
    if path.suffix.lower() == ".svg":
        _, _, rest = data.decode("utf-8", "replace").partition("<metadata>")  # an expression would look for each one's end: hours
        found, end, _ = rest.partition("</metadata>")
        return origin.session_in(unescape(found)) if end else None
    subject = re.search(rb"/Subject <feff([0-9a-fA-F]*)>", data, re.I)
    return None if subject is None else origin.session_in(bytes.fromhex(subject.group(1).decode()).decode("utf-16-be", "replace"))


def holds_origin(path: Path) -> bool:
    """Whether an .npz file says where it came from."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as file:
            return f"{origin.MEMBER}.npy" in file.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False


def _in_arrays(path: Path) -> str | None:
    import numpy as np  # only where arrays are asked for

    try:
        with path.open("rb") as source, np.load(source, allow_pickle=False) as file:
            check_members(file.zip)
            return origin.session_in(str(file[origin.MEMBER])) if origin.MEMBER in file else None
    except (OSError, ValueError, EOFError) as e:
        raise StateError(f"{path.name} is not a readable .npz file: {e}") from e


def _beside(path: Path) -> str | None:
    beside = origin.sidecar(path)
    return origin.session_in(beside.read_text(encoding="utf-8")) if beside.is_file() else None


def _in_picture(path: Path) -> str | None:
    try:
        with opened_picture(path) as picture:
            texts = getattr(picture, "text", {})
            if picture.format == "GIF":
                return _gif_session(path)
    except OSError as e:
        raise StateError(f"{path.name} is not a readable picture: {e}") from e
    return texts.get(SESSION_KEY) or texts.get(capture.KEY)


def _gif_session(path: Path) -> str | None:
    return origin.session_in(_gif_comment(path))


def _gif_comment(path: Path) -> str:
    """The comment block that `encoders.add_gif_comment` has put at the end."""
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, LARGEST_COMMENT), 2)
        data = file.read()
    at = data.rfind(COMMENT_START) - 1
    comment = bytearray()
    while 0 <= at < len(data) and data[at]:
        comment += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    return comment.decode("utf-8", "replace")


def _in_film(path: Path) -> str | None:
    return _film_texts(path).get("description")


def _film_texts(path: Path) -> dict[str, str]:
    av = video_library()
    try:
        with path.open("rb") as file, av.open(file, format=CONTAINERS[path.suffix.lower()]) as container:
            return {key.lower(): value for key, value in container.metadata.items()}
    except av.FFmpegError as e:
        raise StateError(f"{path.name} is not a readable film: {e}") from e
