"""File trees and volumes: read, copied, compared, removed. It knows no Kubernetes and no backup."""
