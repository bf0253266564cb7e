-- How people and programs get into an organization (invitations and keys of its own), and what belongs to the platform's
-- operator (platform admins, settings).

-- Functions: weir.invite_member, revoke_invitation, accept_invitation. Only the token's hash is kept, so reading this table
-- lets nobody in; and the token alone does not either, because the address must be the invited person's confirmed one.
create table public.organization_invitations (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  email text not null,
  role text not null,
  token_hash bytea not null,
  -- Null after that member's row was deleted. Then the invitation cannot be accepted, because whoever invited must still be
  -- one who may.
  invited_by uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  revoked_at timestamptz,
  constraint organization_invitations_pkey primary key (id),
  constraint organization_invitations_token_hash_key unique (token_hash),
  constraint organization_invitations_role_is_known check (role in ('owner', 'admin', 'member', 'viewer')),
  constraint organization_invitations_email_is_lower_case check (email = lower(email) and length(email) <= 320),
  constraint organization_invitations_token_is_sha256 check (octet_length(token_hash) = 32),
  constraint organization_invitations_accepted_or_revoked check (accepted_at is null or revoked_at is null),
  constraint organization_invitations_organization
    foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- Composite, so that it names a member of this organization; only the person's column becomes null.
  constraint organization_invitations_invited_by
    foreign key (organization_id, invited_by) references public.organization_members (organization_id, user_id)
    on delete set null (invited_by)
);
alter table public.organization_invitations enable row level security, force row level security;
revoke all on public.organization_invitations from public, anon, authenticated, service_role;
comment on table public.organization_invitations is 'tenant: who was asked to join, by e-mail';
create index organization_invitations_invited_by_idx on public.organization_invitations (organization_id, invited_by);
-- One open invitation for an address. Accepted and revoked ones are history. One that has expired counts as open here;
-- inviting the address again revokes it first.
create unique index organization_invitations_open_key on public.organization_invitations (organization_id, email)
  where accepted_at is null and revoked_at is null;
-- Admins see invitations without the token's hash, which no API role and not even the writer can read.
create policy invitations_are_seen_by_admins on public.organization_invitations for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
grant select (id, organization_id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at)
  on public.organization_invitations to authenticated, weir_writer;

-- Keys for the organization's own automation. A key reads what its scopes name and never acts. Functions:
-- weir.create_organization_api_key, revoke_organization_api_key, read_with_key.
create table public.organization_api_keys (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  -- The public part, by which a key is found; only the secret's hash is kept. Unique over all organizations, because the
  -- key arrives before its organization is known.
  key_id text not null,
  secret_hash bytea not null,
  scopes text[] not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  -- Never null, unlike an agent's key: automation that nobody remembers loses its access.
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by uuid,
  constraint organization_api_keys_pkey primary key (id),
  constraint organization_api_keys_key_id_key unique (key_id),
  constraint organization_api_keys_name_is_1_to_100_characters check (length(name) between 1 and 100),
  constraint organization_api_keys_key_id_is_random_text check (key_id ~ '^[a-z0-9]{16}$'),
  constraint organization_api_keys_secret_is_sha256 check (octet_length(secret_hash) = 32),
  -- A closed list: a new scope is a new migration, so no key can gain a meaning later.
  constraint organization_api_keys_scopes_are_known
    check (scopes <@ array['audit.read', 'servers.read', 'usage.read'] and cardinality(scopes) > 0),
  constraint organization_api_keys_organization
    foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint organization_api_keys_created_by
    foreign key (organization_id, created_by) references public.organization_members (organization_id, user_id)
    on delete set null (created_by),
  constraint organization_api_keys_revoked_by foreign key (revoked_by) references auth.users (id) on delete set null
);
alter table public.organization_api_keys enable row level security, force row level security;
revoke all on public.organization_api_keys from public, anon, authenticated, service_role;
comment on table public.organization_api_keys is 'tenant: keys of the organization itself, for its own automation';
create index organization_api_keys_created_by_idx on public.organization_api_keys (organization_id, created_by);
create index organization_api_keys_revoked_by_idx on public.organization_api_keys (revoked_by);
-- Admins see keys without their hashes.
create policy organization_keys_are_seen_by_admins on public.organization_api_keys for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
grant select (id, organization_id, name, key_id, scopes, created_by, created_at, expires_at, revoked_at, revoked_by)
  on public.organization_api_keys to authenticated, weir_writer;

-- Written only with the owner's connection (weir.add_platform_admin): no published function makes anybody a platform admin.
create table weir.platform_admins (
  user_id uuid not null,
  created_at timestamptz not null default now(),
  constraint platform_admins_pkey primary key (user_id),
  constraint platform_admins_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table weir.platform_admins enable row level security, force row level security;
revoke all on weir.platform_admins from public, anon, authenticated, service_role;
comment on table weir.platform_admins is 'platform: who publishes the catalog and registers nodes';
-- For weir.add_platform_admin; its insert is the only privilege to write.
create policy platform_admins_are_kept_by_the_engine on weir.platform_admins for all to weir_system using (true) with check (true);
grant select, insert (user_id) on weir.platform_admins to weir_system;

-- Settings that are in the database because SQL decides by them, written by the operator (weir.set_setting). A closed list,
-- so a misspelled name is an error and not a setting without effect.
--   chat_tools         whether chat turns may use tools; absent: true
--   egress_allow       hosts that a remote server may have without https, ["localhost:8080"]
--   equal_denials      how many equal denials of a minute are rows of their own (1 to 1000); absent: 10
--   identity_issuers   issuers whose people become users at their first sign-in, as URLs
--   models             models that an organization may choose, {"provider": ["model"]}
create table weir.settings (
  name text not null,
  value jsonb not null,
  updated_at timestamptz not null default now(),
  constraint settings_pkey primary key (name),
  constraint settings_name_is_known check (name in ('chat_tools', 'egress_allow', 'equal_denials', 'identity_issuers', 'models')),
  constraint settings_chat_tools_is_true_or_false check (name <> 'chat_tools' or jsonb_typeof(value) = 'boolean'),
  -- `case` fixes the order: a value that is no number must not reach the cast.
  constraint settings_equal_denials_is_1_to_1000
    check (name <> 'equal_denials' or case jsonb_typeof(value) when 'number' then value::numeric between 1 and 1000 else false end)
);
alter table weir.settings enable row level security, force row level security;
revoke all on weir.settings from public, anon, authenticated, service_role;
comment on table weir.settings is 'platform: the operator''s settings that SQL decides by; written by the owner only';
-- Functions of weir_system answer questions about a setting; nobody else reads one.
create policy settings_are_read_by_the_engine on weir.settings for all to weir_system using (true) with check (true);
grant select, insert (name, value), update (value, updated_at) on weir.settings to weir_system;
