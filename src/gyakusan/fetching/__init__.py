"""Get the files that a planned server loads: found on this computer, else fetched, whole and checked."""
