-- Catalog entries: what a valid one is, and how it is published. An entry says what nodes execute, which no tenant may choose.

-- The error in an entry's configuration_schema, with its path, or null. A keyword that weir.schema_error does not check is refused, so that
-- the publisher gets the error, and not a tenant at the first configuration. The settings that Weir has for every server
-- (weir.server_config_error) are not properties of an entry. `writeOnly` hides a property's value from everybody who reads a configuration;
-- it is permitted on a property of the configuration itself, because only those are hidden.
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
      -- Level 2: the elements of a list are not properties of the configuration.
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

-- The error in a list or object of texts that a process is started with, with its path, or null. The bounds are the node's.
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

-- The error in an entry's env, with its path, or null. Names are refused that make the loader, Node.js, npm, Python or a shell run or load
-- something else than the package, and names that the node sets itself (PATH, HOME, TMPDIR, LANG). Names of variables are case-sensitive,
-- as in Linux; only npm's own are refused in any case.
create function weir.env_error(p_env jsonb, p_path text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(
    weir.process_texts_error(p_env, 'object', p_path),
    (select p_path || '.' || left(k, 64) || case
              when k !~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'
                then ': is not a valid name of a variable; use at most 128 letters, digits and _, not beginning with a digit'
              else ': is not permitted, because it changes what is executed or is reserved for Weir' end
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
  -- Empty if it is not a string, which no pattern below permits.
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
        case when v_text ~ '^(@[a-z0-9][a-z0-9._-]{0,99}/)?[a-z0-9][a-z0-9._-]{0,99}$'
          then null else ': must be the name of an npm package' end
    when 'bin' then
      case when v_text ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' then null else ': must be the name of an executable of the package' end
    when 'args' then substr(weir.process_texts_error(p_value, 'array', 'args'), length('args') + 1)
    when 'env' then substr(weir.env_error(p_value, 'env'), length('env') + 1)
    when 'capabilities' then
      case when jsonb_typeof(p_value) <> 'object' then ': must be an object' else ': ' || weir.bounds_error(p_value, 16384) end
    -- The only runtime of this release runs a package.
    when 'docker_image' then ': must be null, because the runtime of this release, process, runs no image'
    when 'configuration_schema' then
      substr(weir.configuration_schema_error(p_value, 'configuration_schema'), length('configuration_schema') + 1)
    when 'default_share' then
      case when v_text in ('instance', 'credential', 'session') then null else ': must be instance, credential or session' end
    -- `case` fixes the order: a value that is not a number must not reach the cast.
    when 'calls_at_once' then
      case when case when p_value::text ~ '^[0-9]{1,4}$' then (p_value::text)::integer between 1 and 1024 else false end then null
           else ': must be a number from 1 to 1024' end
    else ': is not known'
  end;
end;
$$;

-- What is wrong with an entry, or null; the message names the member. Sizes are checked first, so that nothing large is read.
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
  -- The members that every entry has; null is not a value for them.
  foreach v_key in array array['slug', 'version', 'display_name', 'transport', 'package', 'bin'] loop
    if coalesce(p_entry -> v_key, 'null') = 'null' then
      return format('entry.%s: is missing', v_key);
    end if;
  end loop;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_entry) e loop
    -- Null means that a member is left out, and is permitted only for a known member.
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

-- An entry with the defaults of the members that it leaves out, as its row has it. So two entries with the same meaning are equal.
create function weir.whole_entry(p_entry jsonb) returns jsonb
language sql stable parallel safe
begin atomic
  select jsonb_build_object(
           'name', p_entry -> 'slug', 'description', '', 'runtime', 'process', 'args', '[]'::jsonb, 'env', '{}'::jsonb,
           'capabilities', '{}'::jsonb, 'docker_image', null, 'configuration_schema', '{"type": "object", "properties": {}}'::jsonb,
           'default_share', 'instance', 'calls_at_once', null)
         || (select jsonb_object_agg(e.key, e.value) from jsonb_each(p_entry) e where e.value <> 'null');
end;

set local role weir_system;

-- Records what was done to versions of the catalog: each under the platform's id, and, if it ends or permits calls, in the audit log of the
-- organizations that have servers of it. Definer: no person may write the audit log, and a platform admin sees no organization's servers.
create function weir.record_catalog_change(p_item text, p_ids uuid[], p_reason text default null) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.record_event('lifecycle', weir.platform_id(), p_item => p_item,
                            p_detail => concat_ws(': ', c.slug || ' ' || c.version, p_reason))
  from public.mcp_server_catalog c where c.id = any(p_ids) order by c.id;
  if p_item in ('block_catalog_server', 'unblock_catalog_server') then
    perform weir.record_event('lifecycle', i.organization_id, p_instance_id => i.id, p_item => p_item,
                              p_detail => concat_ws(': ', c.slug || ' ' || c.version, p_reason))
    from public.mcp_server_instances i
    join public.mcp_server_catalog c on c.id = i.catalog_server_id
    where c.id = any(p_ids) and i.status <> 'deleted'
    order by i.organization_id, i.id;
  end if;
end;
$$;
grant execute on function weir.record_catalog_change to weir_writer;

reset role;

-- Publishes an entry with the caller's rights: the table's policies for weir_writer and weir_system decide. Only the description of a
-- published version can change, so that a server that an organization has approved stays what it was. The same entry again changes nothing,
-- except that it ends `withdrawn`. Returns {id, slug, version, state}, or the error.
create function weir.store_entry(p_entry jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_error text;
  v_whole jsonb;
  v_new public.mcp_server_catalog;
  v_row public.mcp_server_catalog;
  v_different text;
begin
  v_error := weir.catalog_entry_error(p_entry);
  if v_error is not null then
    return weir.error('WR001', v_error);
  end if;
  v_whole := weir.whole_entry(p_entry);
  v_new := jsonb_populate_record(null::public.mcp_server_catalog, v_whole);
  -- Looked for first: an insert takes the platform's lock, which makes all calls wait.
  select c.* into v_row from public.mcp_server_catalog c where c.slug = v_new.slug and c.version = v_new.version;
  if v_row.id is null then
    insert into public.mcp_server_catalog as c
      (slug, version, name, display_name, description, transport, runtime, package, bin, args, env, capabilities, docker_image,
       configuration_schema, default_share, calls_at_once)
    values
      (v_new.slug, v_new.version, v_new.name, v_new.display_name, v_new.description, v_new.transport, v_new.runtime, v_new.package,
       v_new.bin, v_new.args, v_new.env, v_new.capabilities, v_new.docker_image, v_new.configuration_schema, v_new.default_share,
       v_new.calls_at_once)
    on conflict (slug, version) do nothing
    returning c.* into v_row;
    if v_row.id is not null then
      perform weir.record_catalog_change('publish_catalog_server', array[v_row.id]);
      return jsonb_build_object('id', v_row.id, 'slug', v_row.slug, 'version', v_row.version, 'state', v_row.state);
    end if;
    -- Another session has published it meanwhile.
    select c.* into v_row from public.mcp_server_catalog c where c.slug = v_new.slug and c.version = v_new.version;
  end if;
  v_different := (select string_agg('entry.' || k, ', ' order by k) from jsonb_object_keys(v_whole) k
                  where k <> 'description' and v_whole -> k is distinct from to_jsonb(v_row) -> k);
  if v_different is not null then
    return weir.error('WR005', format('%s: only the description of a published version can change, and %s %s has another value; '
                                      'publish another version', v_different, v_row.slug, v_row.version));
  elsif v_row.description <> v_new.description or v_row.withdrawn_at is not null then
    perform weir.record_catalog_change('publish_catalog_server', array[v_row.id]);
    update public.mcp_server_catalog c set description = v_new.description, withdrawn_at = null, updated_at = now()
    where c.id = v_row.id
    returning c.* into v_row;
    -- Row-level security leaves rows out without an error.
    if v_row.id is null then
      raise insufficient_privilege;
    end if;
  end if;
  return jsonb_build_object('id', v_row.id, 'slug', v_row.slug, 'version', v_row.version, 'state', v_row.state);
end;
$$;

-- Withdraws, blocks or unblocks one version, or all versions if p_version is null, with the caller's rights (see weir.store_entry). p_item
-- is the published function. Returns {slug, versions}, with the versions that it has changed, or the error.
create function weir.change_catalog_state(p_item text, p_slug text, p_version text, p_reason text default null) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids uuid[];
  v_versions text[];
  v_count integer;
begin
  if p_item = 'block_catalog_server' and (coalesce(length(p_reason), 0) not between 1 and 500 or p_reason ~ '[\x01-\x1f\x7f]') then
    return weir.error('WR001', 'reason must be 1 to 500 characters in one line');
  elsif not exists (select from public.mcp_server_catalog c where c.slug = p_slug and (p_version is null or c.version = p_version)) then
    return weir.error('WR004', 'there is no such catalog entry');
  end if;
  -- Only what changes: a repeated call takes no lock and leaves no row in the audit log.
  select coalesce(array_agg(c.id order by c.id), '{}'), coalesce(array_agg(c.version order by c.id), '{}') into v_ids, v_versions
  from public.mcp_server_catalog c
  where c.slug = p_slug and (p_version is null or c.version = p_version)
    and case p_item when 'withdraw_catalog_server' then c.withdrawn_at is null
                    when 'block_catalog_server' then c.block_reason is distinct from p_reason
                    when 'unblock_catalog_server' then c.blocked_at is not null end;
  if v_ids <> '{}' then
    -- Recorded first: the update takes the platform's lock, which makes all calls wait.
    perform weir.record_catalog_change(p_item, v_ids, p_reason);
    update public.mcp_server_catalog c
    set withdrawn_at = case when p_item = 'withdraw_catalog_server' then now() else c.withdrawn_at end,
        blocked_at = case p_item when 'block_catalog_server' then coalesce(c.blocked_at, now())
                                 when 'unblock_catalog_server' then null else c.blocked_at end,
        block_reason = case p_item when 'block_catalog_server' then p_reason when 'unblock_catalog_server' then null
                                   else c.block_reason end,
        updated_at = now()
    where c.id = any(v_ids);
    get diagnostics v_count = row_count;
    if v_count <> cardinality(v_ids) then
      raise insufficient_privilege;
    end if;
  end if;
  return jsonb_build_object('slug', p_slug, 'versions', to_jsonb(v_versions));
end;
$$;

-- For the owner's connection: raises an error and returns any other answer.
create function weir.raise_error(p_answer jsonb) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_answer ? 'error' then
    raise exception using errcode = p_answer ->> 'error', message = p_answer ->> 'message';
  end if;
  return p_answer;
end;
$$;

revoke all on function weir.configuration_schema_error, weir.process_texts_error, weir.env_error, weir.entry_member_error,
  weir.catalog_entry_error, weir.whole_entry, weir.store_entry, weir.change_catalog_state, weir.raise_error from public;
grant execute on function weir.configuration_schema_error, weir.process_texts_error, weir.env_error, weir.entry_member_error,
  weir.catalog_entry_error, weir.whole_entry, weir.store_entry, weir.change_catalog_state to weir_writer, weir_system;
grant execute on function weir.raise_error to weir_system;

set local role weir_system;

-- The four acts for the owner's connection, which has no person. They raise what the published functions return. Definer: forced row-level
-- security binds the owner too. Publishes an entry and returns its id.
create function weir.publish_catalog_server(p_entry jsonb) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (weir.raise_error(weir.store_entry(p_entry)) ->> 'id')::uuid;
end;
$$;

-- Withdraws one version, or all: no new instance uses it and none is moved to it, and existing instances work as before. Returns how many
-- versions it has changed, as the next two do.
create function weir.withdraw_catalog_server(p_slug text, p_version text default null) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_array_length(
    weir.raise_error(weir.change_catalog_state('withdraw_catalog_server', p_slug, p_version)) -> 'versions');
end;
$$;

-- Blocks one version, or all if p_version is null: no call of its instances is admitted, and none is started.
create function weir.block_catalog_server(p_slug text, p_version text, p_reason text) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_array_length(
    weir.raise_error(weir.change_catalog_state('block_catalog_server', p_slug, p_version, p_reason)) -> 'versions');
end;
$$;

-- Ends a block. A withdrawn version stays withdrawn.
create function weir.unblock_catalog_server(p_slug text, p_version text default null) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_array_length(
    weir.raise_error(weir.change_catalog_state('unblock_catalog_server', p_slug, p_version)) -> 'versions');
end;
$$;

reset role;

-- The migrator calls these and does not own them.
grant execute on function weir.publish_catalog_server, weir.withdraw_catalog_server, weir.block_catalog_server,
  weir.unblock_catalog_server to current_user;

-- The catalog by login: a platform admin who signed in within the last 15 minutes publishes, withdraws, blocks and unblocks. All
-- organizations run what is published, so an old sign-in, or a token that was stolen, is not enough. weir.authorize checks the caller, and
-- row-level security checks both conditions again where the row is written.

set local role weir_writer;

-- Publishes an entry (weir.store_entry) for a platform admin.
create function weir.publish_by_login(p_entry jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_answer jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'publish_catalog_server', 'platform_admin', 'only a platform admin publishes catalog entries',
                    weir.platform_id());
  v_answer := weir.authorize(v_act);
  v_answer := coalesce(v_answer, weir.refuse_old_sign_in(v_act));
  if v_answer is not null then
    return v_answer;
  end if;
  v_answer := weir.store_entry(p_entry);
  if v_answer ? 'error' then
    return weir.refuse(v_act, v_answer ->> 'error', v_answer ->> 'message');
  end if;
  return v_answer;
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.publish_by_login to authenticated;

-- Withdraws, blocks or unblocks (weir.change_catalog_state) for a platform admin. p_item is the published function's name.
create function weir.change_catalog_by_login(p_item text, p_slug text, p_version text, p_reason text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_answer jsonb;
begin
  v_act := weir.act('lifecycle', p_item, 'platform_admin', 'only a platform admin changes the catalog', weir.platform_id());
  v_answer := weir.authorize(v_act);
  v_answer := coalesce(v_answer, weir.refuse_old_sign_in(v_act));
  if v_answer is not null then
    return v_answer;
  end if;
  v_answer := weir.change_catalog_state(p_item, p_slug, p_version, p_reason);
  if v_answer ? 'error' then
    return weir.refuse(v_act, v_answer ->> 'error', v_answer ->> 'message');
  end if;
  return v_answer;
exception
  when insufficient_privilege then
    return weir.refuse_violation(v_act, sqlstate, null);
end;
$$;
grant execute on function weir.change_catalog_by_login to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.publish_catalog_server(entry jsonb) returns jsonb
language sql volatile begin atomic select weir.publish_by_login($1); end;
create function public.withdraw_catalog_server(slug text, version text default null) returns jsonb
language sql volatile begin atomic select weir.change_catalog_by_login('withdraw_catalog_server', $1, $2, null); end;
create function public.block_catalog_server(slug text, version text default null, reason text default null) returns jsonb
language sql volatile begin atomic select weir.change_catalog_by_login('block_catalog_server', $1, $2, $3); end;
create function public.unblock_catalog_server(slug text, version text default null) returns jsonb
language sql volatile begin atomic select weir.change_catalog_by_login('unblock_catalog_server', $1, $2, null); end;

revoke all on function public.publish_catalog_server, public.withdraw_catalog_server, public.block_catalog_server,
  public.unblock_catalog_server from public, anon, authenticated, service_role;
grant execute on function public.publish_catalog_server, public.withdraw_catalog_server, public.block_catalog_server,
  public.unblock_catalog_server to authenticated;
