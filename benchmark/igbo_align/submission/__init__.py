"""Submissions: the card, reading files from strangers, and validation. The only untrusted input of the benchmark."""
