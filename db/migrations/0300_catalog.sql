-- The catalog: the servers that an organization may deploy. Operators publish entries; nobody else writes them.

-- One row for each version. An instance stays on the row that it was created from until an admin updates it. Entries are
-- withdrawn and never deleted, because instances refer to them.
create table public.mcp_server_catalog (
  id uuid not null default weir.uuid_v7(),
  slug text not null,
  version text not null,
  -- The name in the registry that the publisher keeps, where there is one, else the slug.
  name text not null,
  display_name text not null,
  description text not null default '',
  transport text not null,
  runtime text not null default 'process',
  -- The npm package, its exact version above, and which of its executables runs. A node installs exactly this.
  package text not null,
  bin text not null,
  -- May hold the operator's tokens, as env may; API roles cannot read either.
  args jsonb not null default '[]',
  env jsonb not null default '{}',
  -- What the publisher says that the server can do. What an instance announces is never written here: an entry is read by all
  -- organizations, so that would be a channel between them.
  capabilities jsonb not null default '{}',
  -- Of an entry that runs as a container. Null: it is no image.
  docker_image text,
  -- What an organization may configure, in the closed subset of JSON Schema that weir.schema_error checks. The default
  -- permits nothing.
  configuration_schema jsonb not null default '{"type": "object", "properties": {}}',
  -- Of instances that do not choose one.
  default_share text not null default 'instance',
  -- How many calls an instance takes at one time, over all its processes; null: as many as come.
  calls_at_once integer,
  -- False: withdrawn. No new instance is made of it, and calls of existing ones are denied (weir.decide).
  is_published boolean not null default true,
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
  constraint mcp_server_catalog_schema_is_an_object check (jsonb_typeof(configuration_schema) = 'object')
);
alter table public.mcp_server_catalog enable row level security, force row level security;
revoke all on public.mcp_server_catalog from public, anon, authenticated, service_role;
comment on table public.mcp_server_catalog is 'global: servers that an organization may instantiate; written by the platform only';

-- Everybody who is signed in sees what is published, whatever their organization.
create policy catalog_is_seen_where_published on public.mcp_server_catalog for select to authenticated using (is_published);
-- Withdrawn entries too: a server of one may be updated to a version that is still published.
create policy catalog_is_read_by_the_writer on public.mcp_server_catalog for select to weir_writer using (true);
-- For weir.publish_catalog_server and weir.withdraw_catalog_server, and for what nodes are asked to run.
create policy catalog_is_kept_by_the_engine on public.mcp_server_catalog for all to weir_system using (true) with check (true);
-- API roles read what describes an entry and never what runs: package, bin, args and env are left out. A caller who creates a server names
-- the entry by its slug.
grant select (id, slug, version, name, display_name, description, transport, runtime, capabilities, docker_image,
        configuration_schema, default_share, calls_at_once, is_published, created_at, updated_at) on public.mcp_server_catalog to authenticated;
grant select on public.mcp_server_catalog to weir_writer;
grant select,
      insert (id, slug, version, name, display_name, description, transport, runtime, package, bin, args, env, capabilities, docker_image,
        configuration_schema, default_share, calls_at_once),
      update (name, display_name, description, transport, runtime, package, bin, args, env, capabilities, docker_image,
        configuration_schema, default_share, calls_at_once, is_published, updated_at) on public.mcp_server_catalog to weir_system;

create trigger b_catalog_change before insert or update or delete on public.mcp_server_catalog
  for each row execute function weir.on_catalog_change();
create trigger not_truncated before truncate on public.mcp_server_catalog for each statement execute function weir.refuse_truncate();

-- Raises where a schema has a keyword that weir.schema_error does not check, so that the operator gets the error at publishing, and not a
-- tenant at the first configuration.
create function weir.check_schema(p_schema jsonb, p_path text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_value jsonb;
begin
  if jsonb_typeof(p_schema) <> 'object' then
    raise exception using errcode = 'WR001', message = p_path || ': must be an object';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_schema) e loop
    if v_key not in ('title', 'description', 'default', 'examples', '$schema', 'additionalProperties', 'type', 'enum', 'const',
                     'minLength', 'maxLength', 'pattern', 'minimum', 'maximum', 'minItems', 'maxItems', 'required', 'properties', 'items')
       or (v_key = 'additionalProperties' and v_value <> 'false')
       or (v_key in ('type', 'pattern') and jsonb_typeof(v_value) <> 'string')
       or (v_key in ('enum', 'required') and jsonb_typeof(v_value) <> 'array')
       or (v_key = 'properties' and jsonb_typeof(v_value) <> 'object')
       or (v_key in ('minLength', 'maxLength', 'minItems', 'maxItems') and v_value::text !~ '^[0-9]{1,9}$')
       or (v_key in ('minimum', 'maximum') and jsonb_typeof(v_value) <> 'number')
       or (v_key = 'pattern' and weir.pattern_error(v_value #>> '{}') is not null) then
      raise exception using errcode = 'WR001', message = format('%s.%s: is not supported', p_path, v_key);
    elsif v_key = 'items' then
      perform weir.check_schema(v_value, p_path || '.items');
    elsif v_key = 'properties' then
      perform weir.check_schema(p.value, p_path || '.properties.' || p.key) from jsonb_each(v_value) p;
    end if;
  end loop;
end;
$$;

revoke all on function weir.check_schema from public;
grant execute on function weir.check_schema to weir_system;

set local role weir_system;

-- Publishes a catalog entry. It says what is executed, which no tenant may choose. The same slug and version again replaces that row, also
-- one that was withdrawn. A new version is another row, and instances stay on theirs until they are updated.
create function weir.publish_catalog_server(p_entry jsonb) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_id uuid;
begin
  if jsonb_typeof(p_entry) is distinct from 'object' then
    raise exception using errcode = 'WR001', message = 'entry: must be an object';
  elsif weir.bounds_error(p_entry, 1048576) is not null then
    raise exception using errcode = 'WR001', message = 'entry: ' || weir.bounds_error(p_entry, 1048576);
  end if;
  select k into v_key from jsonb_object_keys(p_entry) k
  where k not in ('slug', 'name', 'description', 'transport', 'runtime', 'package', 'version', 'bin', 'args', 'env',
                  'configuration_schema', 'default_share', 'calls_at_once') limit 1;
  if v_key is not null then
    raise exception using errcode = 'WR001', message = format('entry.%s: is not known', v_key);
  elsif p_entry ->> 'calls_at_once' is not null
        and not (case when p_entry ->> 'calls_at_once' ~ '^[0-9]{1,4}$'
                      then (p_entry ->> 'calls_at_once')::integer between 1 and 1024 else false end) then
    raise exception using errcode = 'WR001', message = 'entry.calls_at_once: must be a number from 1 to 1024';
  end if;
  -- A schema that cannot be checked would let any configuration through.
  perform weir.check_schema(coalesce(p_entry -> 'configuration_schema', '{}'), 'entry.configuration_schema');
  insert into public.mcp_server_catalog as c
    (slug, version, name, display_name, description, transport, runtime, package, bin, args, env, configuration_schema, default_share, calls_at_once)
  values
    (p_entry ->> 'slug', p_entry ->> 'version', p_entry ->> 'slug', p_entry ->> 'name', coalesce(p_entry ->> 'description', ''), p_entry ->> 'transport',
     coalesce(p_entry ->> 'runtime', 'process'), p_entry ->> 'package', p_entry ->> 'bin', coalesce(p_entry -> 'args', '[]'),
     coalesce(p_entry -> 'env', '{}'), coalesce(p_entry -> 'configuration_schema', '{"type": "object", "properties": {}}'),
     coalesce(p_entry ->> 'default_share', 'instance'), (p_entry ->> 'calls_at_once')::integer)
  on conflict (slug, version) do update
    set display_name = excluded.display_name, description = excluded.description, transport = excluded.transport, runtime = excluded.runtime,
        package = excluded.package, bin = excluded.bin, args = excluded.args, env = excluded.env,
        configuration_schema = excluded.configuration_schema, default_share = excluded.default_share,
        calls_at_once = excluded.calls_at_once, is_published = true, updated_at = now()
  returning c.id into v_id;
  return v_id;
end;
$$;

-- Withdraws one version, or all if p_version is null: no new instance is made of it, and the next call of an existing one is denied.
-- Returns how many versions it has withdrawn.
create function weir.withdraw_catalog_server(p_slug text, p_version text default null) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_count integer;
begin
  update public.mcp_server_catalog c set is_published = false, updated_at = now()
  where c.slug = p_slug and (p_version is null or c.version = p_version) and c.is_published;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

reset role;

-- The migrator calls these, and is not their owner.
grant execute on function weir.publish_catalog_server, weir.withdraw_catalog_server to current_user;
