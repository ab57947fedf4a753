"""Inputs: containers that hold X, names of features, memory maps, rows without labels."""
