"""A machine and a load -> the models that fit, and how far each can grow."""
