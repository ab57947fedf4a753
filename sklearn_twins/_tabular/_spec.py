"""What a sample of a table is made of."""


def embedding_width(n_codes):
    """Width of the embedding of a column of so many codes: one for each category, which two are not, but 1 to 32."""
    return max(1, min(32, n_codes - 2))
