"""Ollama: llama.cpp's memory under Ollama's own defaults. It starts `llama-server` as a child, so its base is `engines/llamacpp`.

settings: its variables and rules; engine: the face. Decision 0006 says why this engine may import another.
"""
