"""Hostile input of every kind, made from a seed, and a guard that runs the command on it."""
