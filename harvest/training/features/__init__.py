"""Compute and cache the features of the frozen network."""
