"""Exports: the core, and each format loaded by its own readers."""
