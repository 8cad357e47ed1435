"""Argo's part: it reads the manifests, starts task after task and reports how a workflow ended."""
