-- What accompanies the audit log: its seals and checkpoints (a later release writes them), failures of callers that no
-- organization knows, and usage by the hour.

-- A chain for each organization: a seal covers rows and names the seal before it. No foreign keys, because a seal outlives
-- its organization. Nobody has a privilege to write until there is a sealer.
create table weir.audit_seals (
  organization_id uuid not null,
  sequence bigint not null,
  partition_start timestamptz not null,
  -- Null for the first seal of an organization only.
  previous_hash bytea,
  merkle_root bytea not null,
  row_count bigint not null,
  first_xid xid8 not null,
  last_xid xid8 not null,
  epoch integer not null,
  canon_version smallint not null,
  seal_hash bytea not null,
  sealed_at timestamptz not null default clock_timestamp(),
  constraint audit_seals_pkey primary key (organization_id, sequence),
  constraint audit_seals_hashes_are_sha256
    check (octet_length(merkle_root) = 32 and octet_length(seal_hash) = 32 and octet_length(previous_hash) = 32),
  constraint audit_seals_are_linked check ((sequence = 1) = (previous_hash is null)),
  constraint audit_seals_have_rows check (row_count > 0)
);
alter table weir.audit_seals enable row level security, force row level security;
revoke all on weir.audit_seals from public, anon, authenticated, service_role;
comment on table weir.audit_seals is
  'tenant: links of each organization''s audit chain (no foreign keys: a seal outlives its organization)';
-- As for the log itself, for the owner too.
create trigger seals_are_append_only before update or delete on weir.audit_seals
  for each row execute function weir.refuse_change();
create trigger seals_are_not_truncated before truncate on weir.audit_seals
  for each statement execute function weir.refuse_truncate();

-- Signed statements about the heads of all chains, to be held elsewhere too. Written by nobody yet.
create table weir.audit_checkpoints (
  id uuid not null default weir.uuid_v7(),
  content text not null,
  key_id text not null,
  signature bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint audit_checkpoints_pkey primary key (id)
);
alter table weir.audit_checkpoints enable row level security, force row level security;
revoke all on weir.audit_checkpoints from public, anon, authenticated, service_role;
comment on table weir.audit_checkpoints is 'platform: signed heads of all chains';
create trigger checkpoints_are_append_only before update or delete on weir.audit_checkpoints
  for each row execute function weir.refuse_change();
create trigger checkpoints_are_not_truncated before truncate on weir.audit_checkpoints
  for each statement execute function weir.refuse_truncate();

-- Failures before an organization is known, such as unknown keys: counted for each minute, reason, beginning of the key's
-- id and network (a /64 of IPv6). weir.record_security_events caps the rows of a minute, so that nobody fills the disk by
-- guessing keys. Purged after a time (weir.purge).
create table weir.security_events (
  minute timestamptz not null,
  reason text not null,
  -- Not null, so that they can be in the key; '' and 0.0.0.0 stand for unknown, and for everything beyond the cap.
  key_prefix text not null default '',
  address inet not null default '0.0.0.0',
  occurrences bigint not null,
  constraint security_events_pkey primary key (minute, reason, key_prefix, address),
  constraint security_events_reason_is_short check (length(reason) between 1 and 64),
  constraint security_events_key_prefix_is_short check (length(key_prefix) <= 8),
  constraint security_events_are_counted check (occurrences > 0)
);
alter table weir.security_events enable row level security, force row level security;
revoke all on weir.security_events from public, anon, authenticated, service_role;
comment on table weir.security_events is 'platform: counted failures of callers that no organization knows';
-- No person reads these: they tell about callers of all organizations.
create policy security_events_are_counted_by_the_engine on weir.security_events for all to weir_system using (true) with check (true);
grant select, insert, update (occurrences), delete on weir.security_events to weir_system;

-- Rolled up from the log when an hour is over (weir.roll_up_usage), so that usage can be read without reading the log.
-- agent_id and instance_id are copied without foreign keys, because usage outlives both; calls that named no instance have
-- the id of all zeros (weir.platform_id).
create table public.usage_hourly (
  organization_id uuid not null,
  hour timestamptz not null,
  agent_id uuid not null,
  instance_id uuid not null,
  -- Admitted, denied, and ended otherwise than `ok`; the time is that of all completed calls, in microseconds.
  calls bigint not null default 0,
  denied bigint not null default 0,
  failed bigint not null default 0,
  duration_us bigint not null default 0,
  -- Begins with the organization, then the hour: that is how it is read.
  constraint usage_hourly_pkey primary key (organization_id, hour, agent_id, instance_id),
  constraint usage_hourly_is_not_negative check (least(calls, denied, failed, duration_us) >= 0),
  constraint usage_hourly_organization foreign key (organization_id) references public.organizations (id) on delete cascade
);
alter table public.usage_hourly enable row level security, force row level security;
revoke all on public.usage_hourly from public, anon, authenticated, service_role;
comment on table public.usage_hourly is 'tenant: calls by the hour, rolled up from the record (agent and instance are copied ids)';
-- What each agent does is for admins; members read their own rows of the log (weir.read_audit).
create policy usage_is_seen_by_admins on public.usage_hourly for select to authenticated
  using (organization_id = any(array(select weir.my_organizations('admin'))));
grant select on public.usage_hourly to authenticated;
