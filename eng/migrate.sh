# Sourced by scripts that start a PostgreSQL of their own; `sql` is their psql.

# migrate DATABASE FOLDER: runs the files as the database's owner, each in a transaction, as `weir migrate` does: the roles that own functions
# may create in the schema weir while a file runs.
migrate() {
  local script
  for script in "$2"/*.sql; do
    PGUSER=weir_owner sql -1 -d "$1" -c "$(owners grant to)" -f "$script" -c "$(owners revoke from)"
  done
}

owners() { echo "do \$\$ begin if to_regnamespace('weir') is not null then $1 create on schema weir $2 weir_system, weir_writer; end if; end \$\$"; }
