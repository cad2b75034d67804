"""The visualizer: state, pipeline, panels, window. Importing this package imports nothing heavy."""
