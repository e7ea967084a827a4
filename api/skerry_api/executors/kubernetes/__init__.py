"""Runners as Pods: what production uses.

| module | does |
|---|---|
| `executors` | leads: one replica at a time keeps objects and record in step |
| `launches` | runs ↔ TaskRun objects |
| `places` | where attempts run: from TaskRuns into the record |
| `releases` | Workflow objects → versions and their RunnerPools |
| `decisions` | what follows from a run's record and its TaskRun: pure |
| `registrations` | how a version that registers stands: pure |
| `templates` | what Pods of a version and plan are made from: pure |
| `reflections` | objects as the API server last showed them |
| `identities` | which Pod a runner's token belongs to |
| `metrics` | what is counted for Prometheus |
"""
