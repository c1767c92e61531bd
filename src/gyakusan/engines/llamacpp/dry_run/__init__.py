"""Exact mode: llama.cpp itself is asked, in a process of its own.

run: the questions and answers; worker: the process; abi: the library's C interface; stub_gguf: the file that it loads.
"""
