"""What would be done, and what speaks against it."""
