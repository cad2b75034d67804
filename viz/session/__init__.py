"""Sessions: what is saved, by itself or by name, and opened again."""
