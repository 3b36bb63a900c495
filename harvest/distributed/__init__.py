"""Downloads on several machines: hits divided by host among the workers of a Ray cluster."""
