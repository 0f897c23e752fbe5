-- Tables for the mysql backend, for MySQL 5.7 and later and for MariaDB.
--
--   mysql_userquery  SELECT password_hash FROM mqtt_user WHERE username = ?
--   mysql_superquery SELECT is_admin FROM mqtt_user WHERE username = ?
--   mysql_aclquery   SELECT topic, rw FROM mqtt_acl WHERE username = ?

-- VARBINARY compares byte by byte. The usual text columns find the row 'sam'
-- also for 'Sam' and for 'sam ', and even utf8mb4_bin ignores blanks at the end.
-- Fill the tables over a connection that uses utf8mb4.
CREATE TABLE mqtt_user (
  username      VARBINARY(255) NOT NULL PRIMARY KEY,
  password_hash VARCHAR(512)   CHARACTER SET ascii COLLATE ascii_bin, -- NULL: cannot log in
  is_admin      TINYINT        NOT NULL DEFAULT 0                     -- 1: every right
) ENGINE = InnoDB;

-- rw is the sum of 1 (read: messages are delivered to the user), 2 (write: the
-- user publishes) and 4 (subscribe). topic may have + and #, and %u for the
-- user name and %c for the client identifier.
CREATE TABLE mqtt_acl (
  username VARBINARY(255)   NOT NULL,
  topic    VARCHAR(500)     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  rw       TINYINT UNSIGNED NOT NULL,
  PRIMARY KEY (username, topic),
  FOREIGN KEY (username) REFERENCES mqtt_user (username) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
