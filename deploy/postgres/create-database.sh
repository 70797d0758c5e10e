#!/bin/sh
# Makes Postrider's role and database. The Postgres image runs it once, when its volume is empty. The role may make roles, since Postrider
# makes two of its own at its first start; docs/operations.md has the SQL for a role that may not.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$POSTRIDER_DATABASE_PASSWORD" --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE postrider LOGIN CREATEROLE NOSUPERUSER NOCREATEDB PASSWORD :'password';
CREATE DATABASE postrider OWNER postrider;
REVOKE ALL ON DATABASE postrider FROM PUBLIC;
SQL
