"""The rooms as pages and as an API: the same functions as the commands and Python, for a browser and for programs."""
