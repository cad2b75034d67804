"""The render thread's work on a GPU."""
