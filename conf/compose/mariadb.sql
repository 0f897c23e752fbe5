-- The image of MariaDB has given mqtt every right on the database of that name. The
-- broker reads, and no more.
REVOKE ALL PRIVILEGES ON mqtt.* FROM mqtt;
GRANT SELECT ON mqtt.* TO mqtt;
