"""Keyframes over every control, and ready-made paths."""
