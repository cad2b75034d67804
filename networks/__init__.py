"""Generators: layer specs, filters, alias-free and StyleGAN2 networks, loading. Knows no window."""
