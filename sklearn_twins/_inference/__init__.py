"""Inference: embed rows, lay out the output, look for collapse."""
