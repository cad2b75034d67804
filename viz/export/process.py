"""An export in a process of its own: that of the whole window, for which a window is opened that nobody sees.

The process tells frames done as lines of JSON, and stops after the frame in hand when its standard input ends, also because
whoever started it is gone.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from viz.errors import CommandError
from viz.export.encoders import ExportError
from viz.export.options import ExportOptions, ExportProgress, ExportResult
from viz.session.session import Session

PREVIEW_PX = 256
ROOT = Path(__file__).resolve().parent.parent


def export(
    session: Session,
    options: ExportOptions,
    *,
    progress: Callable[[ExportProgress], None] = lambda p: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ExportResult:
    """As `viz.export.export.export`, elsewhere. Raises ExportError with the sentence of the process."""
    with tempfile.TemporaryDirectory(prefix="aliasfree-") as folder:
        asked = Path(folder) / "session.json"
        asked.write_text(session.to_json(), encoding="utf-8")
        words = [sys.executable, "-m", "viz.export.process", str(asked), json.dumps(_to_dict(options))]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        errors = Path(folder) / "errors"
        with errors.open("wb") as said:
            process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env={**os.environ, "PYTHONPATH": path}
            )
        try:
            return _follow(process, errors, progress, cancelled)
        finally:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()


def _follow(
    process: subprocess.Popen[bytes], errors: Path, progress: Callable[[ExportProgress], None], cancelled: Callable[[], bool]
) -> ExportResult:
    assert process.stdin is not None and process.stdout is not None
    for line in process.stdout:
        try:
            told = json.loads(line)
        except ValueError:
            continue  # somebody's print
        if "error" in told:
            raise ExportError(told["error"])
        if "result" in told:
            found = told["result"]
            return ExportResult(found["path"] and Path(found["path"]), found["frames"], found["rendered"], found["cancelled"])
        progress(_progress(told))
        if cancelled() and not process.stdin.closed:
            process.stdin.close()
    last = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise ExportError(f"the process that draws the window ended with code {process.wait()}: {''.join(last) or 'it said nothing'}")


def _to_dict(options: ExportOptions) -> dict[str, Any]:
    return {**dataclasses.asdict(options), "out": str(options.out.absolute())}


def _progress(told: dict[str, Any]) -> ExportProgress:
    shape, data = told.pop("shape", None), told.pop("preview", "")
    preview = np.frombuffer(base64.b64decode(data), np.uint8).reshape(shape) if shape else None
    return ExportProgress(told["done"], told["total"], told["elapsed_s"], told["eta_s"], preview)


# ---------------------------------------------------------------------------------------------------- in the process


def main(session_path: str, options_json: str) -> int:
    asked = json.loads(options_json)
    options = ExportOptions(**{**asked, "out": Path(asked["out"]), "window": tuple(asked["window"])})
    stopped, told = threading.Event(), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not for whoever reads our lines

    def tell(**what: Any) -> None:
        told.write(json.dumps(what) + "\n")
        told.flush()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        stopped.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    try:
        from viz.export.export import export as export_here

        session = Session.from_json(Path(session_path).read_text(encoding="utf-8"))
        result = export_here(session, options, progress=lambda p: tell(**_told(p)), cancelled=stopped.is_set)
    except Exception as e:  # the border of the process: whatever happens becomes a sentence in the window
        tell(error=str(e) if isinstance(e, CommandError | OSError) else f"{type(e).__name__}: {e}")
        return 1
    path = None if result.path is None else str(result.path)
    tell(result={"path": path, "frames": result.frames, "rendered": result.rendered, "cancelled": result.cancelled})
    return 0


def _told(progress: ExportProgress) -> dict[str, Any]:
    told: dict[str, Any] = {"done": progress.done, "total": progress.total, "elapsed_s": progress.elapsed_s, "eta_s": progress.eta_s}
    if progress.preview is not None:
        step = -(-max(progress.preview.shape[:2]) // PREVIEW_PX)
        small = np.ascontiguousarray(progress.preview[::step, ::step])
        told |= {"shape": small.shape, "preview": base64.b64encode(small.tobytes()).decode("ascii")}
    return told


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
