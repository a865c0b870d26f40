// cypher/health/now.cypher: the graph's clock.
// returns: now_ms
// index:   nothing
RETURN timestamp() AS now_ms
