"""One Redis server: connections, packed buffers, the circuit before it, the scripts it runs."""
