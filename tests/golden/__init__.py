"""Golden arrays and the rule that draws golden weights. See README.md in this folder."""
