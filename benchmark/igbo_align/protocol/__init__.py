"""What is frozen: the specification, the pairs, the pools, and the fingerprint over all of them. Pure data."""
