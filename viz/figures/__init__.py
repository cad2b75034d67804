"""The paper's figures, as vector or pixel files."""
