"""Load, build and save networks."""
