"""Exact mode: a child process asks llama.cpp itself."""
