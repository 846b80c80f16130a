"""Speech and text encoders, pooling, the cache of vectors, and encoding that can be killed and resumed."""
