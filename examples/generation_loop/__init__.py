"""An agent's loop: plan, write, build, repair, publish."""
