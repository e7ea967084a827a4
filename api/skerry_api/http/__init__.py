"""The REST interface: routes and schemas per noun. A route parses, authorises, calls the engine and shapes the reply."""
