FROM users AS u
WHERE x
