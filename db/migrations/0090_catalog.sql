-- Descriptions of servers that can be instantiated. Commands come from here only, never from a tenant; so only the
-- platform writes (weir.publish_catalog_server). One row per version: an instance stays on the row that it was made of.
create table public.mcp_server_catalog (
  id uuid not null default weir.uuid_v7(),
  slug text not null,
  version text not null,
  name text not null,
  description text not null default '',
  transport text not null,
  runtime text not null default 'process',
  package text not null,
  bin text not null,
  args jsonb not null default '[]',
  env jsonb not null default '{}',
  configuration_schema jsonb not null default '{"type": "object", "properties": {}}',
  default_share text not null default 'instance',
  -- how many calls its process may have at once, at one instance; null: as many as come
  calls_at_once integer,
  is_published boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint mcp_server_catalog_pkey primary key (id),
  constraint mcp_server_catalog_slug_version_key unique (slug, version),
  constraint mcp_server_catalog_slug_is_lower_case check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  constraint mcp_server_catalog_version_is_exact check (version ~ '^[0-9][0-9A-Za-z.+-]{0,63}$'),
  constraint mcp_server_catalog_transport_is_known check (transport in ('stdio', 'http')),
  constraint mcp_server_catalog_runtime_is_known check (runtime in ('process')),
  constraint mcp_server_catalog_share_is_known check (default_share in ('instance', 'credential', 'session')),
  constraint mcp_server_catalog_calls_at_once_is_1_to_1024 check (calls_at_once between 1 and 1024),
  -- An npm name, without anything that an installer could read as an option, a path or a URL.
  constraint mcp_server_catalog_package_is_a_name check (package ~ '^(@[a-z0-9][a-z0-9._-]{0,99}/)?[a-z0-9][a-z0-9._-]{0,99}$'),
  constraint mcp_server_catalog_bin_is_a_name check (bin ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  constraint mcp_server_catalog_args_is_an_array check (jsonb_typeof(args) = 'array'),
  constraint mcp_server_catalog_env_is_an_object check (jsonb_typeof(env) = 'object'),
  constraint mcp_server_catalog_schema_is_an_object check (jsonb_typeof(configuration_schema) = 'object')
);
alter table public.mcp_server_catalog enable row level security, force row level security;
revoke all on public.mcp_server_catalog from public, anon, authenticated, service_role;
comment on table public.mcp_server_catalog is 'global: servers that an organization may instantiate; written by the platform only';
create policy catalog_is_seen_where_published on public.mcp_server_catalog for select to authenticated using (is_published);
-- also what was withdrawn: a server of it may be moved to a version that was not
create policy catalog_is_read_by_the_writer on public.mcp_server_catalog for select to weir_writer using (true);
create policy catalog_is_kept_by_the_engine on public.mcp_server_catalog for all to weir_system using (true) with check (true);
-- API roles read what describes an entry, and never what runs: operators put tokens into env and args. Whoever creates a server names the
-- entry by its slug.
grant select (id, slug, version, name, description, transport, runtime, configuration_schema, default_share, calls_at_once,
              is_published, created_at, updated_at)
  on public.mcp_server_catalog to authenticated;
grant select on public.mcp_server_catalog to weir_writer;
grant select,
      insert (id, slug, version, name, description, transport, runtime, package, bin, args, env, configuration_schema, default_share,
              calls_at_once),
      update (name, description, transport, runtime, package, bin, args, env, configuration_schema, default_share, calls_at_once,
              is_published, updated_at)
  on public.mcp_server_catalog to weir_system;
