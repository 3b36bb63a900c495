"""The last layer, solved on frozen features."""
