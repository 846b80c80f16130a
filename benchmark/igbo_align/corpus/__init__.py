"""Recordings and transcripts: opening sources, decoding, normalising, selecting, and building a release."""
