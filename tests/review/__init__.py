"""Tests of the review page and its server."""
