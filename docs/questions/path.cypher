// What is the shortest path of follows from one user to another, of at most six?
// :param from => 'ana'
// :param to => 'ben'
MATCH (start:User {username_ci: toLower($from)}), (end:User {username_ci: toLower($to)})
MATCH path = shortestPath((start)-[:FOLLOWS*..6]->(end))
WHERE all(person IN nodes(path) WHERE person.state = 'active')
RETURN path, [person IN nodes(path) | person.username] AS usernames
