"""The API server's part: the objects, access rights, and what a cluster does by itself."""
