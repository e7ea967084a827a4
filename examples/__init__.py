"""Programs to read, run and change: each folder is one workflow, `demo.py` shows the first of them at work."""
