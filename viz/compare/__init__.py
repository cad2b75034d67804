"""Further views beside the first: how they follow from it, and how they are laid out."""
