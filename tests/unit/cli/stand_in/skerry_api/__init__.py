"""Takes the place of the control plane in tests of `skerry dev`: see __main__."""
