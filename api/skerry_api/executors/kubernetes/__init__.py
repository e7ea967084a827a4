"""Runners as Pods: what production uses.

| module | does |
|---|---|
| `executors` | leads: one replica at a time keeps objects and record in step |
| `launches` | runs ↔ TaskRun objects |
| `releases` | Workflow objects → versions and their RunnerPools |
| `decisions` | what follows from a run's record and its TaskRun: pure |
| `templates` | what Pods of a version and plan are made from: pure |
| `reflections` | objects as the API server last showed them |
| `identities` | which Pod a runner's token belongs to |
"""
