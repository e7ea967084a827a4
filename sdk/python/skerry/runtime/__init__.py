"""The user's process: `python -m skerry.runtime TARGET`, started by the runner.

`SKERRY_SDK_MODE` says what it does: `zygote` imports the program once and forks a process per attempt (`zygotes`),
`run` serves one attempt (`attempts`), `worker` many at once (`workers`), `register` reports the tasks
(`registrations`). They speak HTTP over the Unix socket `SKERRY_SDK_SOCKET_PATH` (`sockets` blocking, `connections` in
an event loop).
"""
