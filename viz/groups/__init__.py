"""The typed groups of the view: frozen dataclasses with one default each."""
