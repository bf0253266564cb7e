-- What keeps the audit log append-only, and its partitions, one for each month.

-- A trigger and not only missing privileges, so that it holds for the owner of the table as well: no role changes or
-- removes a row without first removing the trigger, which `weir isolation check` reports.
create function weir.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'WR003', message = format('%I.%I can only be appended to', tg_table_schema, tg_table_name);
end;
$$;
revoke all on function weir.refuse_change() from public;
-- A row trigger of the parent is copied to each partition. A statement trigger is not, so each partition gets its own
-- against TRUNCATE.
create trigger log_is_append_only before update or delete on public.mcp_interaction_logs
  for each row execute function weir.refuse_change();
create trigger log_is_not_truncated before truncate on public.mcp_interaction_logs
  for each statement execute function weir.refuse_truncate();

-- Creates the partition of one month; false where it exists. Created apart and then attached, because attaching does not
-- block the calls that run, and `create table ... partition of` would.
-- No security definer: only the table's owner may attach, so it is called by the migrator, or inside
-- weir.ensure_log_partitions. Months are those of UTC, whatever the session's time zone.
create function weir.make_log_partition(p_month timestamptz) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
declare
  v_month constant timestamptz := date_trunc('month', p_month);
  v_name constant text := 'mcp_interaction_logs_' || to_char(v_month, 'YYYY_MM');
begin
  -- One at a time: several replicas may ask for the same month.
  perform pg_advisory_xact_lock(hashtextextended('weir.ensure_log_partitions', 0));
  if to_regclass('weir.' || v_name) is not null then
    return false;
  end if;
  execute format('create table weir.%I (like public.mcp_interaction_logs
                  including defaults including generated including constraints)', v_name);
  -- A partition has its own policies and not its parent's. It has none for the roles that run, so it is reached through its
  -- parent only.
  execute format('alter table weir.%I enable row level security, force row level security', v_name);
  execute format('revoke all on weir.%I from public, anon, authenticated, service_role', v_name);
  execute format('comment on table weir.%I is %L', v_name, 'tenant: one month of mcp_interaction_logs, reached through it only');
  -- pg_dump reads partitions and not their parent. Without a policy here its dump would have no row of the audit log, and
  -- no error.
  execute format('create policy everything_is_read_by_the_backup on weir.%I for select to weir_backup using (true)', v_name);
  execute format('grant select on weir.%I to weir_backup', v_name);
  execute format('create trigger log_is_not_truncated before truncate on weir.%I
                  for each statement execute function weir.refuse_truncate()', v_name);
  execute format('alter table public.mcp_interaction_logs attach partition weir.%I for values from (%L) to (%L)',
                 v_name, v_month, v_month + interval '1 month');
  return true;
end;
$$;
revoke all on function weir.make_log_partition(timestamptz) from public;

-- Creates the partitions from last month, for calls that were asked at the turn of a month, to twelve months ahead, so that
-- the log can be written for a year if nobody calls this. Returns how many were new. Called by the maintenance of any
-- replica.
-- A security definer that belongs to the migrator and not to weir_system, because only a table's owner may attach a
-- partition. It takes no parameter and touches no row.
create function weir.ensure_log_partitions() returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp set timezone = 'UTC'
as $$
begin
  return (select (count(*) filter (where weir.make_log_partition(m.month)))::integer
          from generate_series(date_trunc('month', now()) - interval '1 month',
                               date_trunc('month', now()) + interval '12 months', interval '1 month') m(month));
end;
$$;
revoke all on function weir.ensure_log_partitions() from public;
grant execute on function weir.ensure_log_partitions() to weir_engine;
-- The log must be writable from the first call on.
select weir.ensure_log_partitions();
