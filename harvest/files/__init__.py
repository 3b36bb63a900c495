"""Files of a dataset: names, paths, the tree, the lock."""
