"""Pods of Skerry beside bare Pods of the same image, on the cluster that KUBECONFIG names."""
