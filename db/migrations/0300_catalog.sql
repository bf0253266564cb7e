-- The catalog: the servers that an organization may deploy. Only platform admins and the operator publish entries.

-- One row for each version. An instance stays on the row that it was created from until an admin updates it. Entries are
-- withdrawn and never deleted, because instances refer to them.
create table public.mcp_server_catalog (
  id uuid not null default weir.uuid_v7(),
  slug text not null,
  version text not null,
  -- The name in the publisher's registry if there is one, else the slug.
  name text not null,
  display_name text not null,
  description text not null default '',
  transport text not null,
  runtime text not null default 'process',
  -- The npm package and which of its executables runs; the exact version is above. A node installs exactly this.
  package text not null,
  bin text not null,
  -- May hold the operator's tokens, as env may; API roles cannot read either.
  args jsonb not null default '[]',
  env jsonb not null default '{}',
  -- What the publisher states that the server can do. What an instance announces is never written here: all organizations read an entry, so
  -- it would be a channel between them.
  capabilities jsonb not null default '{}',
  -- For an entry that runs as a container. Null: it is not an image.
  docker_image text,
  -- What an organization may configure, in the closed subset of JSON Schema that weir.schema_error checks. The default permits nothing.
  configuration_schema jsonb not null default '{"type": "object", "properties": {}}',
  -- Used by instances that do not choose one.
  default_share text not null default 'instance',
  -- The concurrent calls of an instance, over all its processes; null: no limit.
  calls_at_once integer,
  -- Withdrawn: no new instance uses it and none is moved to it; existing instances work as before. Publishing it again ends this.
  withdrawn_at timestamptz,
  -- Blocked: no call of an instance is admitted (weir.decide), and none is started. Only weir.unblock_catalog_server ends it. The reason is
  -- for admins.
  blocked_at timestamptz,
  block_reason text,
  state text not null generated always as (
    case when blocked_at is not null then 'blocked' when withdrawn_at is not null then 'withdrawn' else 'published' end) stored,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint mcp_server_catalog_pkey primary key (id),
  constraint mcp_server_catalog_slug_version_key unique (slug, version),
  constraint mcp_server_catalog_slug_is_lower_case check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  constraint mcp_server_catalog_version_is_exact check (version ~ '^[0-9][0-9A-Za-z.+-]{0,63}$'),
  constraint mcp_server_catalog_name_is_1_to_200_characters check (length(name) between 1 and 200),
  constraint mcp_server_catalog_capabilities_is_an_object check (jsonb_typeof(capabilities) = 'object'),
  constraint mcp_server_catalog_process_is_no_image check (runtime <> 'process' or docker_image is null),
  constraint mcp_server_catalog_transport_is_known check (transport in ('stdio', 'http')),
  constraint mcp_server_catalog_runtime_is_known check (runtime in ('process')),
  constraint mcp_server_catalog_share_is_known check (default_share in ('instance', 'credential', 'session')),
  constraint mcp_server_catalog_calls_at_once_is_1_to_1024 check (calls_at_once between 1 and 1024),
  -- An npm name, without anything that an installer could read as an option, a path or a URL.
  constraint mcp_server_catalog_package_is_a_name check (package ~ '^(@[a-z0-9][a-z0-9._-]{0,99}/)?[a-z0-9][a-z0-9._-]{0,99}$'),
  constraint mcp_server_catalog_bin_is_a_name check (bin ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  constraint mcp_server_catalog_args_is_an_array check (jsonb_typeof(args) = 'array'),
  constraint mcp_server_catalog_env_is_an_object check (jsonb_typeof(env) = 'object'),
  constraint mcp_server_catalog_schema_is_an_object check (jsonb_typeof(configuration_schema) = 'object'),
  constraint mcp_server_catalog_blocked_with_a_reason check ((blocked_at is null) = (block_reason is null)),
  constraint mcp_server_catalog_block_reason_is_1_to_500_characters check (length(block_reason) between 1 and 500)
);
alter table public.mcp_server_catalog enable row level security, force row level security;
revoke all on public.mcp_server_catalog from public, anon, authenticated, service_role;
comment on table public.mcp_server_catalog is 'global: servers that an organization may instantiate; written by the platform only';

-- Everybody who is signed in sees what is published, whatever their organization. Withdrawn and blocked entries are seen by admins, because
-- their servers may use them, and by platform admins.
create policy catalog_is_seen_where_published on public.mcp_server_catalog for select to authenticated
  using (state = 'published' or (select weir.is_platform_admin())
         or cardinality(array(select weir.my_organizations('admin'))) > 0);
-- Withdrawn entries too: a server that uses one may be updated to a version that is still published.
create policy catalog_is_read_by_the_writer on public.mcp_server_catalog for select to weir_writer using (true);
-- All organizations run what is published, so the publisher must have signed in recently.
create policy catalog_is_published_by_platform_admins on public.mcp_server_catalog for insert to weir_writer
  with check ((select weir.is_platform_admin()) and (select weir.signed_in_recently()));
create policy catalog_is_changed_by_platform_admins on public.mcp_server_catalog for update to weir_writer
  using ((select weir.is_platform_admin()) and (select weir.signed_in_recently()))
  with check ((select weir.is_platform_admin()) and (select weir.signed_in_recently()));
-- For the owner's functions (weir.publish_catalog_server and the like), and for the operations that nodes are asked to do.
create policy catalog_is_kept_by_the_engine on public.mcp_server_catalog for all to weir_system using (true) with check (true);
-- API roles read the description of an entry and never what runs: package, bin, args and env are left out. A caller who creates a server
-- names the entry by its slug.
grant select (id, slug, version, name, display_name, description, transport, runtime, capabilities, docker_image,
        configuration_schema, default_share, calls_at_once, state, block_reason, created_at, updated_at)
  on public.mcp_server_catalog to authenticated;
-- A published version does not change: of the columns that define it, only the description may be updated.
grant select,
      insert (id, slug, version, name, display_name, description, transport, runtime, package, bin, args, env, capabilities, docker_image,
        configuration_schema, default_share, calls_at_once),
      update (description, withdrawn_at, blocked_at, block_reason, updated_at) on public.mcp_server_catalog to weir_writer, weir_system;

-- Keeps a version as it was published, whether a function or direct SQL writes. Entries are never deleted: a deleted version could be
-- published again as something else.
create function weir.guard_catalog_entry() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_may_change constant text[] := array['description', 'withdrawn_at', 'blocked_at', 'block_reason', 'state', 'updated_at'];
begin
  if tg_op = 'DELETE' then
    raise exception using errcode = 'WR005', message = 'a catalog entry cannot be deleted: withdraw it';
  elsif to_jsonb(new) - v_may_change <> to_jsonb(old) - v_may_change then
    raise exception using errcode = 'WR005', message = 'only the description of a published version can change: publish a new version';
  end if;
  return new;
end;
$$;

revoke all on function weir.guard_catalog_entry from public;

-- It fires first, as a_guard_instance: a refused change must not take the platform's lock (b_).
create trigger a_guard_entry before update or delete on public.mcp_server_catalog
  for each row execute function weir.guard_catalog_entry();
create trigger b_catalog_change before insert or update or delete on public.mcp_server_catalog
  for each row execute function weir.on_catalog_change();
create trigger not_truncated before truncate on public.mcp_server_catalog for each statement execute function weir.refuse_truncate();
