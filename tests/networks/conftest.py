"""What training changes for its whole process is put back, so that no test depends on which came before."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _denormal_numbers():
    """A training run on a CPU flushes them to zero from then on."""
    yield
    torch.set_flush_denormal(False)
