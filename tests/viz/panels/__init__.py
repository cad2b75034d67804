"""Tests of `viz.panels`."""
