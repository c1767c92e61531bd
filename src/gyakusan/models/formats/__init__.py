"""File formats: bytes -> metadata and tensors. Whatever is read here may be damaged or hostile."""
