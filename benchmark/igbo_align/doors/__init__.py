"""Ways in for other libraries: plain vectors (what `evaluate` calls), and MTEB's tasks and models."""
