"""Show which parts of an image decide the answer of a network."""
