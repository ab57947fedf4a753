"""Inputs: the containers of X, feature names, memory maps, rows without labels."""
