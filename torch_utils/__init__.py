"""Operators, resampling and spectra in torch. Knows neither networks nor the window."""
