-- Invitations (their functions: 0400), organization keys (0430), platform admins and the operator's settings.
create table public.organization_invitations (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  email text not null,
  role text not null,
  token_hash bytea not null,
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
  constraint organization_invitations_invited_by
    foreign key (organization_id, invited_by) references public.organization_members (organization_id, user_id)
    on delete set null (invited_by)
);
alter table public.organization_invitations enable row level security, force row level security;
revoke all on public.organization_invitations from public, anon, authenticated, service_role;
comment on table public.organization_invitations is 'tenant: who was asked to join, by e-mail';
create index organization_invitations_invited_by_idx on public.organization_invitations (organization_id, invited_by);
create unique index organization_invitations_open_key on public.organization_invitations (organization_id, email)
  where accepted_at is null and revoked_at is null;
create policy invitations_are_seen_by_admins on public.organization_invitations for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
grant select (id, organization_id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at)
  on public.organization_invitations to authenticated, weir_writer;

create table public.organization_api_keys (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  key_id text not null,
  secret_hash bytea not null,
  scopes text[] not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by uuid,
  constraint organization_api_keys_pkey primary key (id),
  constraint organization_api_keys_key_id_key unique (key_id),
  constraint organization_api_keys_name_is_1_to_100_characters check (length(name) between 1 and 100),
  constraint organization_api_keys_key_id_is_random_text check (key_id ~ '^[a-z0-9]{16}$'),
  constraint organization_api_keys_secret_is_sha256 check (octet_length(secret_hash) = 32),
  -- what the organization's own automation may read; a key never acts
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
create policy organization_keys_are_seen_by_admins on public.organization_api_keys for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
grant select (id, organization_id, name, key_id, scopes, created_by, created_at, expires_at, revoked_at, revoked_by)
  on public.organization_api_keys to authenticated, weir_writer;

-- Who runs Weir. Written by the owner's connection only (weir.add_platform_admin).
create table weir.platform_admins (
  user_id uuid not null,
  created_at timestamptz not null default now(),
  constraint platform_admins_pkey primary key (user_id),
  constraint platform_admins_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table weir.platform_admins enable row level security, force row level security;
revoke all on weir.platform_admins from public, anon, authenticated, service_role;
comment on table weir.platform_admins is 'platform: who publishes the catalog and registers nodes';
create policy platform_admins_are_kept_by_the_engine on weir.platform_admins for all to weir_system using (true) with check (true);
grant select, insert (user_id) on weir.platform_admins to weir_system;

-- What the operator sets in the database, because SQL decides by it: egress_allow, the hosts that a remote server may
-- have without https; identity_issuers, the issuers whose people become users at their first sign-in; models, those that an
-- organization may choose, by provider; chat_tools, whether chat turns may use tools.
create table weir.settings (
  name text not null,
  value jsonb not null,
  updated_at timestamptz not null default now(),
  constraint settings_pkey primary key (name),
  constraint settings_name_is_known check (name in ('chat_tools', 'egress_allow', 'equal_denials', 'identity_issuers', 'models')),
  constraint settings_chat_tools_is_true_or_false check (name <> 'chat_tools' or jsonb_typeof(value) = 'boolean'),
  constraint settings_equal_denials_is_1_to_1000
    check (name <> 'equal_denials' or case jsonb_typeof(value) when 'number' then value::numeric between 1 and 1000 else false end)
);
alter table weir.settings enable row level security, force row level security;
revoke all on weir.settings from public, anon, authenticated, service_role;
comment on table weir.settings is 'platform: the operator''s settings that SQL decides by; written by the owner only';
create policy settings_are_read_by_the_engine on weir.settings for all to weir_system using (true) with check (true);
grant select, insert (name, value), update (value, updated_at) on weir.settings to weir_system;
