-- Acts of the platform's operator: the catalog, platform admins, settings, logins. Only the owner of the schema may execute them, with a
-- connection that no request has. They are definers of weir_system all the same, because forced row-level security binds the owner too.

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
    (slug, version, name, description, transport, runtime, package, bin, args, env, configuration_schema, default_share, calls_at_once)
  values
    (p_entry ->> 'slug', p_entry ->> 'version', p_entry ->> 'name', coalesce(p_entry ->> 'description', ''), p_entry ->> 'transport',
     coalesce(p_entry ->> 'runtime', 'process'), p_entry ->> 'package', p_entry ->> 'bin', coalesce(p_entry -> 'args', '[]'),
     coalesce(p_entry -> 'env', '{}'), coalesce(p_entry -> 'configuration_schema', '{"type": "object", "properties": {}}'),
     coalesce(p_entry ->> 'default_share', 'instance'), (p_entry ->> 'calls_at_once')::integer)
  on conflict (slug, version) do update
    set name = excluded.name, description = excluded.description, transport = excluded.transport, runtime = excluded.runtime,
        package = excluded.package, bin = excluded.bin, args = excluded.args, env = excluded.env,
        configuration_schema = excluded.configuration_schema, default_share = excluded.default_share,
        calls_at_once = excluded.calls_at_once, is_published = true, updated_at = now()
  returning c.id into v_id;
  return v_id;
end;
$$;

-- Raises where a schema has a keyword that weir.schema_error does not check, so that the operator hears of it at publishing, and not a
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

-- What `weir platform-admin add` calls. A repeated call is harmless.
create function weir.add_platform_admin(p_user_id uuid) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into weir.platform_admins (user_id) values (p_user_id) on conflict do nothing;
exception
  when foreign_key_violation or not_null_violation then
    raise exception using errcode = 'WR004', message = 'there is no such user';
end;
$$;

-- The table's constraints say which names and values there are.
create function weir.set_setting(p_name text, p_value jsonb) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into weir.settings as s (name, value) values (p_name, p_value)
  on conflict (name) do update set value = excluded.value, updated_at = now();
end;
$$;

-- Makes a login of the embedded issuer. On Supabase its own issuer makes logins, and Weir may not.
create function weir.create_user(p_email text, p_password_hash text) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := weir.uuid_v7();
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'the users of this database are Supabase''s: create them there';
  end if;
  -- The operator vouches for the address, so it is confirmed.
  insert into auth.users (id, email, email_confirmed_at, encrypted_password) values (v_id, lower(p_email), now(), p_password_hash);
  return v_id;
exception
  when unique_violation then
    raise exception using errcode = 'WR005', message = 'a user with this e-mail address exists';
end;
$$;

revoke all on function weir.publish_catalog_server(jsonb), weir.check_schema(jsonb, text), weir.withdraw_catalog_server(text, text),
  weir.add_platform_admin(uuid), weir.set_setting(text, jsonb), weir.create_user(text, text) from public;
grant execute on function weir.check_schema(jsonb, text) to weir_system;

grant create on schema weir to weir_system;
alter function weir.publish_catalog_server(jsonb) owner to weir_system;
alter function weir.withdraw_catalog_server(text, text) owner to weir_system;
alter function weir.add_platform_admin(uuid) owner to weir_system;
alter function weir.set_setting(text, jsonb) owner to weir_system;
alter function weir.create_user(text, text) owner to weir_system;
revoke create on schema weir from weir_system;
-- After the functions have changed their owner, because the new owner takes over the old one's privileges.
grant execute on function weir.publish_catalog_server(jsonb), weir.withdraw_catalog_server(text, text),
  weir.add_platform_admin(uuid), weir.set_setting(text, jsonb), weir.create_user(text, text) to current_user;
