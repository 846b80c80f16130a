"""Arrays in, arrays out: exact similarity, ranks with ties, and the retrieval metrics of every query."""
