"""What happens inside a pod: one plain function a phase, no Argo and no Hera."""

__version__ = "0.1.0"
