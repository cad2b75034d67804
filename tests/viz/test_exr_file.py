"""OpenEXR files as another program reads them (FFmpeg, in PyAV), and what their headers say."""

import numpy as np
import pytest

from viz.export import exr_file
from viz.export.picture import linear


def decoded(path):
    """float32 [H, W, C] by FFmpeg's own decoder."""
    import av

    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        planes = [np.frombuffer(bytes(p), np.float32).reshape(frame.height, p.line_size // 4)[:, : frame.width] for p in frame.planes]
        assert frame.format.name == ("grayf32le" if len(planes) == 1 else "gbrpf32le")
    return np.stack([planes[i] for i in ((2, 0, 1) if len(planes) == 3 else (0,))], axis=2)


@pytest.mark.parametrize("shape", [(37, 21, 3), (16, 8, 1), (40, 64, 3), (1, 1, 1)])
@pytest.mark.parametrize("smooth", [True, False])
def test_another_program_reads_the_very_values(shape, smooth, tmp_path):
    rng = np.random.default_rng(1)
    ramp = np.linspace(-2, 1e6, shape[1] * shape[2]).reshape(shape[1:])
    values = np.broadcast_to(ramp, shape) if smooth else rng.normal(size=shape)  # one is deflated, noise is kept as it is
    path = exr_file.save(tmp_path / "a.exr", values, {})
    assert np.array_equal(decoded(path), values.astype(np.float32))


def test_the_header_says_what_it_was_given(tmp_path):
    path = exr_file.save(tmp_path / "a.exr", np.zeros((2, 3)), {"aliasfree-session": '{"a": "é"}', "b": ""})
    assert exr_file.read_texts(path) == {"aliasfree-session": '{"a": "é"}', "b": ""}
    assert [p.name for p in tmp_path.iterdir()] == ["a.exr"]


@pytest.mark.parametrize("cut", [0, 5, 40, 150])
def test_a_file_that_is_cut_off_is_refused_in_a_sentence(cut, tmp_path):
    path = exr_file.save(tmp_path / "a.exr", np.zeros((2, 3)), {"b": "x" * 100})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"cut off|begin"):
        exr_file.read_texts(path)


def test_two_channels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="2 channels"):
        exr_file.save(tmp_path / "a.exr", np.zeros((2, 3, 2)), {})


def test_linear_light_is_srgb_decoded_and_goes_on_beyond_its_ends():
    found = linear(np.array([0, 1, 0.04045, 0.5, -0.5, 2.0]))
    assert found == pytest.approx([0, 1, 0.04045 / 12.92, 0.214041, -0.214041, ((2 + 0.055) / 1.055) ** 2.4], rel=1e-5)
