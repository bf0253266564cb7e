-- Seals and checkpoints of the audit log. Rows of both are only added.

-- A chain for each organization: a seal covers rows and names the seal before it. No foreign keys, because a seal outlives its
-- organization. No role may write until there is a sealer.
create table weir.audit_seals (
  organization_id uuid not null,
  sequence bigint not null,
  partition_start timestamptz not null,
  -- Null only for the first seal of an organization.
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

-- By triggers, as for the log itself, so that they bind the owner too.
create trigger seals_are_append_only before update or delete on weir.audit_seals
  for each row execute function weir.refuse_change();
create trigger seals_are_not_truncated before truncate on weir.audit_seals
  for each statement execute function weir.refuse_truncate();

-- Signed statements about the heads of all chains, to be stored elsewhere too. Nothing writes them yet.
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
