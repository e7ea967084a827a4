"""What the machine itself takes for a fork, a fresh process and a commit."""
