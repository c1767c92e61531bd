"""Which device holds which layers, and the bytes of weights and caches on each device."""
