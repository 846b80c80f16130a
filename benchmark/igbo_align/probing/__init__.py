"""The tonal probe: can the pitch contour be read off the hidden states of a speech encoder, layer by layer?"""
