"""Measurements of networks that need no window: equivariance of a picture, and over samples."""
