"""A folder for PYTHONPATH that keeps commands on loopback."""
