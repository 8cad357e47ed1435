"""The one door to Kubernetes; it knows no file."""
