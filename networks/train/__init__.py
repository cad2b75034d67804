"""Training of every rung: adversarial on pictures, supervised on rendered globes. `python -m networks.train --help`."""
