"""Overlays and measurements: one file each, computation and control. Torch is imported inside functions."""
