"""The parts of the small Internet; `tests.web` is its door."""
