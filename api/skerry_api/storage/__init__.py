"""Tables, migrations and query functions per noun: the only place with SQL."""
