"""A machine or a budget, and people -> the best models, quantisations, servers and settings, and why not others."""
