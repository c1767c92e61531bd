"""The front before a model server: who may ask, how much, how often. Standard: docs/decisions/0027-a-front-of-our-own.md."""
