"""What makes runs move: submit, dispatch, sessions with runners, completion, cancel, sweep, retention, waiters."""
