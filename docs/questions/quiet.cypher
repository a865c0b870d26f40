// Which users follow others and have never posted?
MATCH (person:User)
WHERE person.state = 'active' AND NOT EXISTS { (person)-[:POSTED|POSTED_HIDDEN]->() }
WITH person, COUNT { (person)-[:FOLLOWS]->() } AS following
WHERE following > 0
RETURN person.username AS username, following, datetime({epochMillis: person.created_at}) AS since
ORDER BY following DESC, username
LIMIT 50
