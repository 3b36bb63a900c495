"""From class folders to a classifier."""
