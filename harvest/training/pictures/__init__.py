"""The labelled pictures of a tree."""
