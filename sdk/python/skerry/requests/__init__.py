"""What can be asked of the server, without asking: one module per noun, and what they share in `conversations`.

An operation is a generator that yields `Request`s and is sent their `Answer`s; what it returns is the value the
caller gets. `Client` and `AsyncClient` only differ in how they carry such a conversation out, so nothing here is
written twice.
"""
