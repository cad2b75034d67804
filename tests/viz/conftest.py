"""What tests of the application share: a pipeline for each file, whose memory makes the second question cheap."""

import pytest


@pytest.fixture(scope="module")
def pipeline():
    from viz.pipeline import Pipeline

    return Pipeline()
