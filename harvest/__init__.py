"""Harvest pictures into class folders that remember where they came from."""
