"""`python -m skerry_api`: the same as the `skerry-api` command."""

from skerry_api.commands import main

main()
