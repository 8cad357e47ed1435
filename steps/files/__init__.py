"""Reads, copies, compares and removes file trees and volumes. It depends on neither Kubernetes nor backups."""
