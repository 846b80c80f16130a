"""The verbs that make things of recordings: build a release, encode it, verify what somebody else encoded."""
