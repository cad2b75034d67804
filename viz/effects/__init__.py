"""What the commands that panels emit really do."""
