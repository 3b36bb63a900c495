"""A pretrained network and its files."""
