"""The contract between phases and rendered manifests: arguments, outputs, mounts and fixed names."""
