"""The connections to Neo4j: time-outs, retries, the circuit breaker and the ping."""
