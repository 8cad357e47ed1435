"""All access to Kubernetes. No module here reads or writes files of a backup."""
