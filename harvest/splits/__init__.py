"""Assign labelled images to train, validation and test splits, and remember the assignment."""
