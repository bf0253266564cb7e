-- Entries of the catalog: what one must be, and how it is published. An entry says what nodes execute, which no tenant may choose.

-- The error in an entry's configuration_schema, with its path, or null. A keyword that weir.schema_error does not check is refused, so that
-- the publisher gets the error, and not a tenant at the first configuration. The settings that Weir has for every server
-- (weir.server_config_error) are no properties of an entry. `writeOnly` hides a property's value from everybody who reads a
-- configuration; it stands on a property of the configuration itself, because only those are hidden.
create function weir.configuration_schema_error(p_schema jsonb, p_path text, p_level integer default 0) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_value jsonb;
  v_path text;
  v_name text;
  v_error text;
begin
  if jsonb_typeof(p_schema) is distinct from 'object' then
    return p_path || ': must be an object';
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_schema) e loop
    v_path := p_path || '.' || left(v_key, 64);
    if v_key = 'writeOnly' then
      if p_level <> 1 or jsonb_typeof(v_value) <> 'boolean' then
        return v_path || ': must be true or false, on a property of the configuration itself';
      end if;
    elsif v_key not in ('title', 'description', 'default', 'examples', '$schema', 'additionalProperties', 'type', 'enum', 'const',
                        'minLength', 'maxLength', 'pattern', 'minimum', 'maximum', 'minItems', 'maxItems', 'required', 'properties',
                        'items')
       or (v_key = 'additionalProperties' and v_value <> 'false')
       or (v_key in ('type', 'pattern') and jsonb_typeof(v_value) <> 'string')
       or (v_key in ('enum', 'required') and jsonb_typeof(v_value) <> 'array')
       or (v_key = 'properties' and jsonb_typeof(v_value) <> 'object')
       or (v_key in ('minLength', 'maxLength', 'minItems', 'maxItems') and v_value::text !~ '^[0-9]{1,9}$')
       or (v_key in ('minimum', 'maximum') and jsonb_typeof(v_value) <> 'number')
       or (v_key = 'pattern' and weir.pattern_error(v_value #>> '{}') is not null) then
      return v_path || ': is not supported';
    elsif v_key = 'items' then
      -- Level 2: what is in a list is no property of the configuration.
      v_error := weir.configuration_schema_error(v_value, v_path, 2);
    elsif v_key = 'properties' then
      v_error := (select format('%s.%s: is a setting that Weir has for every server; give the property another name', v_path, n)
                  from unnest(array['timeout_ms', 'max_retries', 'retry_backoff_ms', 'priority']) n
                  where p_level = 0 and v_value ? n limit 1);
      for v_name in select k from jsonb_object_keys(v_value) k loop
        exit when v_error is not null;
        v_error := weir.configuration_schema_error(v_value -> v_name, v_path || '.' || left(v_name, 64), p_level + 1);
      end loop;
    end if;
    if v_error is not null then
      return v_error;
    end if;
  end loop;
  return null;
end;
$$;

-- The error in a list of texts or an object of texts that a process is started with, with its path, or null. The bounds are the node's.
create function weir.process_texts_error(p_texts jsonb, p_type text, p_path text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(p_texts) <> p_type then
    return format('%s: must be an %s of strings', p_path, p_type);
  elsif (case p_type when 'array' then jsonb_array_length(p_texts) else (select count(*) from jsonb_object_keys(p_texts)) end) > 256 then
    return p_path || ': may have 256';
  end if;
  return (
    select e.path || case when jsonb_typeof(e.value) <> 'string' then ': must be a string' else ': may have 32 KiB' end
    from (select format('%s[%s]', p_path, n - 1) as path, a.value
          from jsonb_array_elements(case p_type when 'array' then p_texts else '[]' end) with ordinality a(value, n)
          union all
          select p_path || '.' || left(o.key, 64), o.value from jsonb_each(case p_type when 'object' then p_texts else '{}' end) o) e
    where jsonb_typeof(e.value) <> 'string' or octet_length(e.value #>> '{}') > 32768
    limit 1);
end;
$$;

-- The error in an entry's env, with its path, or null. Refused are names that make the loader, Node.js, npm, Python or a shell run or load
-- something else than the package, and names that the node sets itself (PATH, HOME, TMPDIR, LANG). Names of variables are compared as
-- Linux does, by case; npm alone reads its own in any case.
create function weir.env_error(p_env jsonb, p_path text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(
    weir.process_texts_error(p_env, 'object', p_path),
    (select p_path || '.' || left(k, 64) || case
              when k !~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'
                then ': is no name of a variable; use at most 128 letters, digits and _, not beginning with a digit'
              else ': is refused, because it would change what is executed, or belongs to Weir' end
     from jsonb_object_keys(case jsonb_typeof(p_env) when 'object' then p_env else '{}' end) k
     where k !~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'
        or k ~ '^(PATH|HOME|TMPDIR|LANG|NODE_OPTIONS|NODE_PATH|BASH_ENV|ENV|IFS|LD_.*|PYTHON.*|WEIR_.*|__weir.*)$'
        or k ~* '^npm_config_'
     limit 1));
end;
$$;

-- What is wrong with one member of an entry, as the end of a sentence that begins with its name, or null.
create function weir.entry_member_error(p_key text, p_value jsonb) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Empty where it is no string, which no pattern below permits.
  v_text constant text := case jsonb_typeof(p_value) when 'string' then p_value #>> '{}' else '' end;
begin
  return case p_key
    when 'slug' then
      case when v_text ~ '^[a-z0-9][a-z0-9-]{0,62}$' then null else ': must be 1 to 63 of a-z, 0-9 and -, not beginning with -' end
    when 'version' then
      case when v_text ~ '^[0-9][0-9A-Za-z.+-]{0,63}$' then null else ': must be an exact version, like 1.2.3' end
    when 'name' then
      case when v_text ~ '^[A-Za-z0-9-][A-Za-z0-9.-]{0,98}/[A-Za-z0-9._-]{1,99}$' or v_text ~ '^[a-z0-9][a-z0-9-]{0,62}$' then null
           else ': must be a name of the registry, like io.github.owner/server, or the slug' end
    when 'display_name' then
      case when v_text ~ '^[^\x01-\x1f\x7f]{1,100}$' then null else ': must be 1 to 100 characters in one line' end
    when 'description' then
      case when jsonb_typeof(p_value) = 'string' and length(v_text) <= 4000 then null
           else ': must be a string of at most 4000 characters' end
    when 'transport' then case when v_text in ('stdio', 'http') then null else ': must be stdio or http' end
    when 'runtime' then case when v_text = 'process' then null else ': must be process' end
    when 'package' then
      case when v_text ~ '^(@[a-z0-9][a-z0-9._-]{0,99}/)?[a-z0-9][a-z0-9._-]{0,99}$' then null else ': must be a name of an npm package' end
    when 'bin' then
      case when v_text ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' then null else ': must be the name of an executable of the package' end
    when 'args' then substr(weir.process_texts_error(p_value, 'array', 'args'), length('args') + 1)
    when 'env' then substr(weir.env_error(p_value, 'env'), length('env') + 1)
    when 'capabilities' then
      case when jsonb_typeof(p_value) <> 'object' then ': must be an object' else ': ' || weir.bounds_error(p_value, 16384) end
    -- The one runtime of this release runs a package.
    when 'docker_image' then ': must be null, because the runtime process runs no image'
    when 'configuration_schema' then
      substr(weir.configuration_schema_error(p_value, 'configuration_schema'), length('configuration_schema') + 1)
    when 'default_share' then
      case when v_text in ('instance', 'credential', 'session') then null else ': must be instance, credential or session' end
    -- `case` fixes the order: what is no number must not reach the cast.
    when 'calls_at_once' then
      case when case when p_value::text ~ '^[0-9]{1,4}$' then (p_value::text)::integer between 1 and 1024 else false end then null
           else ': must be a number from 1 to 1024' end
    else ': is not known'
  end;
end;
$$;

-- What is wrong with an entry, or null; the message names the member. Sizes come first, so that nothing large is looked at.
create function weir.catalog_entry_error(p_entry jsonb) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_value jsonb;
  v_error text;
begin
  if jsonb_typeof(p_entry) is distinct from 'object' then
    return 'entry: must be an object';
  elsif weir.bounds_error(p_entry, 1048576) is not null then
    return 'entry: ' || weir.bounds_error(p_entry, 1048576);
  end if;
  -- The members that every entry has; null is no value for them.
  foreach v_key in array array['slug', 'version', 'display_name', 'transport', 'package', 'bin'] loop
    if coalesce(p_entry -> v_key, 'null') = 'null' then
      return format('entry.%s: is missing', v_key);
    end if;
  end loop;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_entry) e loop
    -- Null stands for a member that is left out, and only for one that exists.
    v_error := case when v_value <> 'null' or weir.entry_member_error(v_key, v_value) = ': is not known'
                    then weir.entry_member_error(v_key, v_value) end;
    if v_error is not null then
      return 'entry.' || left(v_key, 64) || v_error;
    end if;
  end loop;
  return case when p_entry ->> 'name' not like '%/%' and p_entry ->> 'name' <> p_entry ->> 'slug'
              then 'entry.name: must be a name of the registry, like io.github.owner/server, or the slug' end;
end;
$$;

-- An entry with the defaults of what it leaves out, as its row has it. So two entries that mean the same are equal.
create function weir.whole_entry(p_entry jsonb) returns jsonb
language sql stable parallel safe
begin atomic
  select jsonb_build_object(
           'name', p_entry -> 'slug', 'description', '', 'runtime', 'process', 'args', '[]'::jsonb, 'env', '{}'::jsonb,
           'capabilities', '{}'::jsonb, 'docker_image', null, 'configuration_schema', '{"type": "object", "properties": {}}'::jsonb,
           'default_share', 'instance', 'calls_at_once', null)
         || (select jsonb_object_agg(e.key, e.value) from jsonb_each(p_entry) e where e.value <> 'null');
end;

revoke all on function weir.configuration_schema_error, weir.process_texts_error, weir.env_error, weir.entry_member_error,
  weir.catalog_entry_error, weir.whole_entry from public;
grant execute on function weir.configuration_schema_error, weir.process_texts_error, weir.env_error, weir.entry_member_error,
  weir.catalog_entry_error, weir.whole_entry to weir_system;

set local role weir_system;

-- Publishes a catalog entry. It says what is executed, which no tenant may choose. The same slug and version again replaces that row, also
-- one that was withdrawn. A new version is another row, and instances stay on theirs until they are updated.
create function weir.publish_catalog_server(p_entry jsonb) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_error text;
  v_entry public.mcp_server_catalog;
  v_id uuid;
begin
  v_error := weir.catalog_entry_error(p_entry);
  if v_error is not null then
    raise exception using errcode = 'WR001', message = v_error;
  end if;
  v_entry := jsonb_populate_record(null::public.mcp_server_catalog, weir.whole_entry(p_entry));
  insert into public.mcp_server_catalog as c
    (slug, version, name, display_name, description, transport, runtime, package, bin, args, env, capabilities, docker_image,
     configuration_schema, default_share, calls_at_once)
  values
    (v_entry.slug, v_entry.version, v_entry.name, v_entry.display_name, v_entry.description, v_entry.transport, v_entry.runtime,
     v_entry.package, v_entry.bin, v_entry.args, v_entry.env, v_entry.capabilities, v_entry.docker_image, v_entry.configuration_schema,
     v_entry.default_share, v_entry.calls_at_once)
  on conflict (slug, version) do update
    set name = excluded.name, display_name = excluded.display_name, description = excluded.description, transport = excluded.transport,
        runtime = excluded.runtime, package = excluded.package, bin = excluded.bin, args = excluded.args, env = excluded.env,
        capabilities = excluded.capabilities, docker_image = excluded.docker_image,
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
