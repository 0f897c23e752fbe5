-- The broker's user, with the password that the image of Postgres was given. It reads,
-- and no more. postgres itself has no password: it can log in within the container.
\set password `printenv POSTGRES_PASSWORD`
CREATE ROLE mqtt LOGIN PASSWORD :'password';
GRANT SELECT ON mqtt_user, mqtt_acl TO mqtt;
ALTER ROLE postgres PASSWORD NULL;
