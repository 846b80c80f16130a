"""What anyone must beat: the paper's zero-shot and projection, stronger maps, and controls that know nothing."""
