"""A submission on every track: its similarities, who stands where, and the metrics with their intervals."""
