"""Stage "tone" (headless only): values to 8-bit pixels. The window does the same in a shader."""

from __future__ import annotations

import numpy as np

from gui_utils.tone import ToneMap, tone_map
from viz.request import Picture
from viz.stages import Run, Stage
from viz.state import Tone


def shader_tone(tone: Tone, channels: int) -> ToneMap:
    """The view's tone as gui_utils takes it; three channels are colours already and need no colormap."""
    return ToneMap.from_db(tone.gain_db, offset=tone.offset, signed=tone.signed, colormap="gray" if channels == 3 else tone.colormap)


def run(run: Run) -> np.ndarray:
    picture: Picture = run.inputs["picture"].picture
    return tone_map(picture.values, shader_tone(run.view.get(Tone), picture.values.shape[2]))


STAGE = Stage("tone", after=("picture",), reads=(Tone,), run=run)
