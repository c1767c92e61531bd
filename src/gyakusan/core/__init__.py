"""Values and arithmetic: no I/O, no clock, no catalogue. Every number may be a numpy array."""
