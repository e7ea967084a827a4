"""The operator under load beside Kubernetes' own Job controller, on a control plane of its own with KWOK nodes."""
