"""Joint training on a few labels and all rows: labels, supervision, the linear model and the blend."""
