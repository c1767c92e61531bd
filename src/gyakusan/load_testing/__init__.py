"""Load an OpenAI-compatible server with people, and compare what is measured with what was predicted."""
