"""The Python functions: one for each command, with the names of its options, and answers that know their JSON."""
