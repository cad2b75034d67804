"""For tests on a GPU: within `no_waiting` whatever makes the processor wait for the GPU is an error, as far as torch notices."""

import warnings
from contextlib import contextmanager

import torch


@contextmanager
def no_waiting():
    """Reading numbers back, copies to and from memory that is not pinned, and the like raise RuntimeError."""
    torch.cuda.synchronize()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synchronization debug mode")  # a prototype, it says
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
