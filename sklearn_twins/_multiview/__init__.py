"""Several views of the same rows: sets of columns with an encoder each, trained to agree with each other."""
