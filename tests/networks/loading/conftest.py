"""Every test here has a cache of its own: nothing is read from or written to the cache of the person who runs them."""

import pytest


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIASFREE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "networks"
