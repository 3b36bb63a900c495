"""The only part that talks to the network: search pages (requests) and picture bodies (httpx)."""
