"""Measure how good predictions are."""
