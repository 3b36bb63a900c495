"""train.py, part by part."""
