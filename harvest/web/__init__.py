"""The only package that uses the network: search pages with requests, images with httpx."""
