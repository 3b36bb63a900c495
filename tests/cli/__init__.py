"""Tests of harvest/cli: what the commands say, and what they leave behind."""
