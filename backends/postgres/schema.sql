-- Tables for the postgres backend, for PostgreSQL 11 and later.
--
--   pg_userquery      SELECT password_hash FROM mqtt_user WHERE username = $1
--   pg_superquery     SELECT is_admin FROM mqtt_user WHERE username = $1
--   pg_aclquery       SELECT topic, rw FROM mqtt_acl WHERE username = $1
--   pg_notify_channel go_auth
--
-- The broker's database user needs no more than
--
--   GRANT SELECT ON mqtt_user, mqtt_acl TO mqtt;

-- Names are compared byte by byte, whatever the collation of the database is.
CREATE TABLE mqtt_user (
  username      text COLLATE "C" PRIMARY KEY,
  password_hash text,                           -- NULL: cannot log in
  is_admin      boolean NOT NULL DEFAULT false  -- true: every right
);

-- rw is the sum of 1 (read: messages are delivered to the user), 2 (write: the
-- user publishes) and 4 (subscribe). topic may have + and #, and %u for the
-- user name and %c for the client identifier.
CREATE TABLE mqtt_acl (
  username text COLLATE "C" NOT NULL REFERENCES mqtt_user ON DELETE CASCADE ON UPDATE CASCADE,
  topic    text COLLATE "C" NOT NULL,
  rw       smallint NOT NULL CHECK (rw BETWEEN 0 AND 7),
  PRIMARY KEY (username, topic)
);

-- What follows tells the broker whose account has changed, as soon as the change
-- is committed. For tables of your own, keep the functions and give them the name
-- of the column with the user name:
--
--   CREATE TRIGGER go_auth_notify AFTER INSERT OR UPDATE OR DELETE ON my_table
--     FOR EACH ROW EXECUTE FUNCTION go_auth_notify('my_column');
--
-- A notice holds less than 8000 bytes. An empty one means everybody; it is sent
-- for a name that does not fit, and for NULL.
CREATE FUNCTION go_auth_notify() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  name text;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    name := coalesce(to_jsonb(OLD) ->> TG_ARGV[0], '');
    PERFORM pg_notify('go_auth', CASE WHEN octet_length(name) < 8000 THEN name ELSE '' END);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    name := coalesce(to_jsonb(NEW) ->> TG_ARGV[0], '');
    PERFORM pg_notify('go_auth', CASE WHEN octet_length(name) < 8000 THEN name ELSE '' END);
  END IF;
  RETURN NULL;
END
$$;

CREATE FUNCTION go_auth_notify_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('go_auth', '');
  RETURN NULL;
END
$$;

CREATE TRIGGER go_auth_notify AFTER INSERT OR UPDATE OR DELETE ON mqtt_user
  FOR EACH ROW EXECUTE FUNCTION go_auth_notify('username');
CREATE TRIGGER go_auth_notify AFTER INSERT OR UPDATE OR DELETE ON mqtt_acl
  FOR EACH ROW EXECUTE FUNCTION go_auth_notify('username');
CREATE TRIGGER go_auth_notify_all AFTER TRUNCATE ON mqtt_user
  FOR EACH STATEMENT EXECUTE FUNCTION go_auth_notify_all();
CREATE TRIGGER go_auth_notify_all AFTER TRUNCATE ON mqtt_acl
  FOR EACH STATEMENT EXECUTE FUNCTION go_auth_notify_all();
