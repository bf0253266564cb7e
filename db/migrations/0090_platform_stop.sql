-- The switch of the whole installation: while it is off, no call of any organization is admitted.

-- There is one row while the platform is stopped. The functions are in 0770_switches.sql. Earlier stops are in the audit log, under
-- weir.platform_id().
create table weir.platform_stop (
  only_row boolean not null default true,
  stopped_at timestamptz not null default now(),
  -- Null: the operator, over the owner's connection (`weir stop-all`). A copy without a foreign key, as in the audit log.
  stopped_by uuid,
  constraint platform_stop_pkey primary key (only_row),
  constraint platform_stop_has_one_row check (only_row)
);
alter table weir.platform_stop enable row level security, force row level security;
revoke all on weir.platform_stop from public, anon, authenticated, service_role;
comment on table weir.platform_stop is 'platform: one row while all calls are stopped, and who has stopped them';

-- weir.decide reads it for every call. No other role reads it directly.
create policy platform_stop_is_kept_by_the_engine on weir.platform_stop for all to weir_system using (true) with check (true);
grant select, insert (stopped_by), delete on weir.platform_stop to weir_system;

-- Every admission shares the platform's lock. So a stop commits after the running admissions, and every later admission sees it.
create trigger b_platform_stop_change before insert or update or delete on weir.platform_stop
  for each row execute function weir.on_catalog_change();
create trigger not_truncated before truncate on weir.platform_stop for each statement execute function weir.refuse_truncate();
