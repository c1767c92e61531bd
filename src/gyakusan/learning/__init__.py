"""What measurements of this computer say of its devices, beside what is built in."""
