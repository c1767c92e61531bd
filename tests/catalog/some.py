"""A device record that is right in everything, for what is added, checked or broken."""

DEVICE = """[[device]]
name = "Some GPU"
vendor = "Some"
kind = "gpu"
backend = "cuda"
sizes_gib = [8]
bandwidth_gb_s = 100
released = "2026-01-01"
source = "somewhere"
checked = "2026-01-02"
"""
