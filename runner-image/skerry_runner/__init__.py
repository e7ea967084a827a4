"""The runner: takes assignments from the control plane, runs user code in child processes and speaks for it.

From the outside in: `commands` reads the arguments, `runners` acts on what the control plane says, which `sessions` (over
`links`) hears, `places` and `workers` decide who runs where, and `slots` (over `requests` and `routes`) talk to user
processes, which `zygotes` and `processes` start. An `attempts.Attempt` is one try of a run; `outcomes` decides, without
side effects, how it ended.
"""
