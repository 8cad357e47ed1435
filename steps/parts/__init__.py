"""The things of an installation, each saved and restored by one module."""
