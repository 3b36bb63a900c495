"""Tests of harvest.images."""
