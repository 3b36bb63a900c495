"""Tests of recipes: write, read, replay, render and merge."""
