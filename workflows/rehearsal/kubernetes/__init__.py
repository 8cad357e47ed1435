"""The API server's part: the objects, who may do what with them, and what a cluster does by itself."""
