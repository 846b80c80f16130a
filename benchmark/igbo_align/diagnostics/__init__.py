"""Why a system scores as it does: what it remembers, which pairs fail."""
