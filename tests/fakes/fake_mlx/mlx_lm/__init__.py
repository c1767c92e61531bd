"""A fake of MLX-LM: the classes of its server that keyed_server.py builds on, with one token for an answer."""

__version__ = "0.0.2"
