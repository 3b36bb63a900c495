"""Features of the frozen network."""
