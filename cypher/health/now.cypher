// cypher/health/now.cypher: the time of the graph's clock.
// returns: now_ms
// index:   nothing
RETURN timestamp() AS now_ms
