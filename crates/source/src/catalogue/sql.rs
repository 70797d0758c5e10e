//! What is asked of the system's tables. All names are those of `pg_catalog`.

pub(super) const SERVER: &str = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_database()::text,
  has_database_privilege(current_database(), 'CREATE'), current_setting('wal_level'), current_setting('max_replication_slots')::int,
  (SELECT count(*) FROM pg_replication_slots), pg_is_in_recovery(), current_setting('server_encoding'), current_setting('synchronous_standby_names')";

/// `$1`: a role's name, or null for this session's.
pub(super) const ROLE: &str = "SELECT rolname::text, rolsuper, rolbypassrls OR rolsuper, rolreplication OR rolsuper FROM pg_roles WHERE rolname = coalesce($1, current_user)";

/// `$1`: a role's name. Giving something away takes the right to become that role.
pub(super) const OWNER: &str = "SELECT r.rolname::text, r.rolsuper, me.rolsuper OR CASE
    WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(r.oid, 'SET') ELSE pg_has_role(r.oid, 'MEMBER') END
  FROM pg_roles r JOIN pg_roles me ON me.rolname = current_user WHERE r.rolname = $1";

/// `$1`, `$2`: schemas and names; `$3`: who reads.
pub(super) const TABLES: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text,
    (SELECT jsonb_build_array(rn.nspname, r.relname)::text FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
      WHERE c.relispartition AND r.oid = (SELECT relid FROM pg_partition_ancestors(c.oid) WITH ORDINALITY AS a (relid, at) ORDER BY at DESC LIMIT 1)),
    EXISTS (SELECT FROM pg_inherits i JOIN pg_class h ON h.oid = i.inhrelid WHERE i.inhparent = c.oid AND NOT h.relispartition),
    pg_get_userbyid(c.relowner)::text, c.relrowsecurity, c.relforcerowsecurity,
    c.relrowsecurity AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $3)
      AND (c.relforcerowsecurity OR NOT pg_has_role($3, c.relowner, 'USAGE')),
    has_table_privilege(c.oid, 'TRIGGER'), has_any_column_privilege(c.oid, 'SELECT'), pg_has_role(c.relowner, 'USAGE'),
    has_schema_privilege($3, n.oid, 'USAGE'), c.relreplident::text, c.reltuples::float8, pg_total_relation_size(c.oid),
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v' AND NOT a.attisdropped ORDER BY a.attnum)
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (schema, name, at)
  JOIN pg_namespace n ON n.nspname = wanted.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY wanted.at";

/// `$1`: at most so many.
pub(super) const OTHERS: &str = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1, 2 LIMIT $1";

/// `$1`: oids; `$2`: who reads. Virtual generated columns are left out: they are computed when they are read, and no trigger sees them. A domain's type is the one under it, and types are without what limits them.
pub(super) const COLUMNS: &str = "WITH RECURSIVE under AS (
    SELECT a.attrelid, a.attnum, a.atttypid AS type FROM pg_attribute a WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
    UNION ALL SELECT u.attrelid, u.attnum, t.typbasetype FROM under u JOIN pg_type t ON t.oid = u.type WHERE t.typtype = 'd'
  )
  SELECT a.attrelid, a.attname::text, format_type(u.type, NULL), a.attgenerated <> '', NOT a.attnotnull,
    coalesce((SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = u.type), '{}'),
    has_column_privilege($2, a.attrelid, a.attnum, 'SELECT')
  FROM pg_attribute a JOIN under u ON u.attrelid = a.attrelid AND u.attnum = a.attnum JOIN pg_type t ON t.oid = u.type AND t.typtype <> 'd'
  ORDER BY a.attrelid, a.attnum";

/// `$1`: oids.
pub(super) const KEYS: &str = "SELECT x.indrelid, x.indisprimary,
    (SELECT array_agg(a.attname::text ORDER BY k.at) FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (num, at)
      JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.num WHERE k.at <= x.indnkeyatts)
  FROM pg_index x WHERE x.indrelid = ANY ($1) AND x.indisunique AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
  ORDER BY x.indrelid, x.indisprimary DESC, x.indexrelid";

/// `$1`: our schema.
pub(super) const OURS: &str =
    "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1";

/// `$1`: our schema.
pub(super) const OWNER_OF_OURS: &str =
    "SELECT pg_get_userbyid(c.relowner)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname IN ('outbox', 'installation') ORDER BY c.relname DESC LIMIT 1";

/// `$1`: our schema. Triggers that call its functions, wherever they are; those that partitions have from their parents are their parents'.
pub(super) const TRIGGERS: &str =
    "SELECT tn.nspname::text, c.relname::text, t.tgname::text, p.proname::text, t.tgenabled::text
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace tn ON tn.oid = c.relnamespace
  WHERE n.nspname = $1 AND NOT t.tgisinternal AND t.tgparentid = 0 ORDER BY 1, 2, 3";

/// `$1`: our schema.
pub(super) const FUNCTIONS: &str = "SELECT p.proname::text, p.prosrc, coalesce(array_to_string(p.proconfig, ' '), '')
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1";
