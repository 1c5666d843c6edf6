"""Measurements: how true a model's worlds are, in figures."""
