"""Textures filled by CUDA: the order of calls and the reasons against it, without a GPU; the values themselves on one (marked gpu)."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
import pytest
import torch

from gui_utils import cuda_texture, gl
from gui_utils.errors import SharingError
from gui_utils.texture import FloatTexture
from tests.gui_utils.egl_device import EglDevice, NoDevice
from viz.gpu.handover import DevicePicture, DeviceValues, Handover, place

gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]


@dataclass
class Planes:
    shape: tuple[int, int, int]
    pointer: int = 4096
    device: int = 0


class Error(Enum):
    cudaSuccess = 0
    cudaErrorUnknown = 999


class Runtime:
    """Answers as NVIDIA's runtime does, and keeps the order of calls. `failing` names the call that does not succeed."""

    cudaError_t = Error

    def __init__(self, devices=(0,), failing=""):
        self.devices, self.failing, self.calls = devices, failing, []

    def __getattr__(self, name):
        if name in ("cudaGLDeviceList", "cudaGraphicsRegisterFlags", "cudaMemcpyKind"):
            return type(name, (), {"__getattr__": lambda self, value: value})()
        if name == "cudaStream_t":
            return int

        def call(*arguments):
            self.calls.append(name)
            error = Error.cudaErrorUnknown if name == self.failing else Error.cudaSuccess
            return (error, len(self.devices), list(self.devices)) if name == "cudaGLGetDevices" else (error, f"answer of {name}")

        return call


DRAWN = ["cudaGraphicsMapResources", "cudaGraphicsSubResourceGetMappedArray", "cudaMemcpy2DToArrayAsync", "cudaStreamSynchronize",
         "cudaGraphicsUnmapResources"]  # fmt: skip


@pytest.fixture
def texture(window):
    with FloatTexture() as made:
        yield made


def taking(texture, monkeypatch, runtime, *planes):
    monkeypatch.setattr(cuda_texture.CudaTexture, "_opened", lambda self: setattr(self, "_runtime", runtime) or runtime)
    for one in planes:
        texture.take(one)
    return [call for call in runtime.calls if call != "cudaSetDevice"]


def test_a_texture_is_registered_once_for_pictures_of_one_size(texture, monkeypatch):
    calls = taking(texture, monkeypatch, Runtime(), Planes((8, 6, 3)), Planes((8, 6, 3)))
    assert calls == ["cudaGLGetDevices", "cudaGraphicsGLRegisterImage", *DRAWN, *DRAWN]
    assert (texture.width, texture.height, texture.channels) == (6, 8, 3)
    assert (texture.pixel_step, texture.channel_step, texture.allocations, texture.version) == ((1, 1), (0, 8), 1, 2)


@pytest.mark.parametrize("change", ["size", "upload", "delete"])
def test_it_is_let_go_before_its_storage_changes(texture, monkeypatch, change):
    runtime = Runtime()
    taking(texture, monkeypatch, runtime, Planes((8, 6, 3)))
    runtime.calls.clear()
    if change == "size":
        texture.take(Planes((4, 6, 3)))
    elif change == "upload":
        texture.upload(np.zeros((8, 6, 3), np.float32))
    else:
        texture.delete()
    assert runtime.calls[0] == "cudaGraphicsUnregisterResource"


def test_a_texture_is_returned_even_where_copying_fails(texture, monkeypatch):
    runtime = Runtime(failing="cudaMemcpy2DToArrayAsync")
    with pytest.raises(SharingError, match="copying into the texture failed: cudaErrorUnknown"):
        taking(texture, monkeypatch, runtime, Planes((8, 6, 3)))
    assert runtime.calls[-1] == "cudaGraphicsUnmapResources"


def test_another_gpu_is_said(texture, monkeypatch):
    with pytest.raises(SharingError, match="another GPU than CUDA device 0"):
        taking(texture, monkeypatch, Runtime(devices=(1,)), Planes((8, 6, 3)))


def test_a_renderer_that_is_not_nvidias_is_not_asked(texture):
    if b"NVIDIA" in gl.glGetString(gl.GL_VENDOR):
        pytest.skip("this machine draws with NVIDIA's driver")
    with pytest.raises(SharingError, match=r"OpenGL runs on .+, not on the CUDA device"):
        texture.take(Planes((8, 6, 3)))


def test_the_window_falls_back_once_and_says_why(texture, monkeypatch):
    values = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    found, asked = Handover(), []
    monkeypatch.setattr(FloatTexture, "take", lambda self, planes: asked.append(planes) or _refuse())
    for _ in range(2):
        shown = DevicePicture(DeviceValues(values), (0, 0, 5, 4))
        place(texture, shown, found)
    assert len(asked) == 1 and found == Handover(False, "OpenGL runs elsewhere")
    assert (texture.width, texture.height, texture.channels) == (5, 4, 3)
    assert np.array_equal(contents(texture).reshape(3, 4, 5), values.numpy())


def _refuse():
    raise SharingError("OpenGL runs elsewhere")


def contents(texture):
    gl.glBindTexture(gl.GL_TEXTURE_2D, texture.name)
    found = gl.glGetTexImage(gl.GL_TEXTURE_2D, 0, gl.GL_RED, gl.GL_FLOAT)
    return np.frombuffer(found, np.float32) if isinstance(found, bytes) else np.asarray(found, np.float32).ravel()


# ------------------------------------------------------------------------------------------ with one


@pytest.mark.parametrize("sizes", [pytest.param([(3, 40, 50), (3, 40, 50), (1, 64, 24), (3, 1024, 1024)], marks=gpu)])
def test_the_texture_holds_what_the_gpu_computed(sizes):
    try:
        context = EglDevice()
    except NoDevice as reason:
        pytest.skip(f"no OpenGL on the GPU: {reason}")
    gl.load(egl=True)
    texture, found = FloatTexture(), Handover()
    for size in sizes:
        planes = torch.randn(size, device="cuda")
        torch.cuda.synchronize()
        place(texture, DevicePicture(DeviceValues(planes), (0, 0, 1, 1)), found)
        assert found.shared, found.why
        assert np.array_equal(contents(texture).reshape(size), planes.cpu().numpy())
    texture.upload(np.ones((4, 4, 3), np.float32))
    assert np.array_equal(contents(texture), np.ones(48))
    texture.delete()
    assert gl.glGetError() == 0
    context.close()
