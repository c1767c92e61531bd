"""Which layers and tensors lie on which device."""
