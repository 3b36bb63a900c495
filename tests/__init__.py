"""The tests, which share a small Internet and pictures made in code."""
