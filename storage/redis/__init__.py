"""Access to one Redis server: connections, packed commands, circuit breaker, Lua scripts."""
