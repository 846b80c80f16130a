"""Uncertainty and significance: bootstrap, Wilson intervals, tests of alignment and of two systems."""
