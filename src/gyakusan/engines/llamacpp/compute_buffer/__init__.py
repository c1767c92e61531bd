"""The compute buffer of one device: what the largest step of the graph needs."""
