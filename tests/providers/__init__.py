"""Tests of harvest/providers."""
