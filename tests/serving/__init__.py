"""Tests of `harvest serve`."""
