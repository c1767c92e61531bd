"""Bytes to metadata. Whatever is read here may be damaged or hostile."""
