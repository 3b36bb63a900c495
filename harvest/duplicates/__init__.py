"""Find copies of an image: fingerprints, and a radius search over their hashes."""
