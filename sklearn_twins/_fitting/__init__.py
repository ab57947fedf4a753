"""Fit: prepare rows, build networks, train, and keep the result."""
