-- The form of `server_config`, which describes a server that is created or changed.

-- Whether a remote server may have this address. The gateway alone decides where Weir connects to, when it connects (the operator's
-- egress.allow): it refuses plain http and private addresses unless the operator permits the host.
create function weir.is_server_url(p_url text) returns boolean
language sql immutable parallel safe
  return p_url ~ '^https?://[^/?#@\s]+([/?][^#\s]*)?$' and length(p_url) <= 2048;

revoke all on function weir.is_server_url from public;
grant execute on function weir.is_server_url to weir_writer;

-- The error in server_config.context, with its path, or null. The grammar is closed: an unknown member is refused, so that a misspelled one
-- is noticed.
create function weir.context_config_error(p_context jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_member text;
  v_list jsonb;
  v_path text;
  v_item text;
begin
  if p_context is null then
    return null;
  elsif jsonb_typeof(p_context) <> 'object' then
    return 'server_config.context: must be an object';
  end if;
  -- Each member, then each of its elements; the first problem is returned.
  for v_member, v_list in select e.key, e.value from jsonb_each(p_context) e loop
    v_path := 'server_config.context.' || left(v_member, 64);
    if v_member not in ('resources', 'prompts') then
      return v_path || ': is not known';
    elsif jsonb_typeof(v_list) <> 'array' then
      return v_path || ': must be an array';
    elsif jsonb_array_length(v_list) > 10 then
      return v_path || ': may have 10';
    end if;
    for v_n in 0 .. jsonb_array_length(v_list) - 1 loop
      v_path := format('server_config.context.%s[%s]', v_member, v_n);
      v_item := v_list ->> v_n;
      if jsonb_typeof(v_list -> v_n) <> 'string' or length(v_item) not between 1 and 1000 or v_item ~ '[\x01-\x1f\x7f]' then
        return v_path || ': must be 1 to 1000 characters';
      elsif v_member = 'resources' and (not weir.is_uri(v_item) or v_item ~ '\s') then
        return v_path || ': must be a URI';
      -- Addresses with these schemes are those that Weir shows, not the server's own (decision 0016).
      elsif v_member = 'resources' and lower(split_part(v_item, ':', 1)) in ('ui', 'weir') then
        return v_path || ': must be a URI of the server itself, not one with the scheme ui or weir';
      -- Only the person's message can be filled in.
      elsif v_member = 'resources' and replace(v_item, '{message}', '') ~ '[{}]' then
        return v_path || ': {message} is the only placeholder';
      end if;
    end loop;
  end loop;
  return null;
end;
$$;

-- The members of server_config.configuration that are settings of Weir and not of the catalog entry.
create function weir.own_settings() returns text[]
language sql immutable parallel safe
  return array['timeout_ms', 'max_retries', 'retry_backoff_ms', 'priority'];

-- server_config with Weir's own settings beside `configuration`, wherever they were given. A configuration that holds nothing else is left
-- out, so that Weir's settings may be given there for a remote server too.
create function weir.with_own_settings(p_config jsonb) returns jsonb
language sql immutable parallel safe
  return case when jsonb_typeof(p_config -> 'configuration') = 'object' then
    p_config - 'configuration'
    || (select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(p_config -> 'configuration') e
        where e.key = any(weir.own_settings()))
    || case when (p_config -> 'configuration') - weir.own_settings() = '{}' then '{}'
            else jsonb_build_object('configuration', (p_config -> 'configuration') - weir.own_settings()) end
    else p_config end;

-- The error about a member of a configuration that names a secret of a vault, with its path, or null. A member that the entry's schema
-- declares belongs to the publisher, whatever its name; a value that begins like a reference counts anywhere.
create function weir.secret_reference_error(p_configuration jsonb, p_schema jsonb) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  select format('server_config.configuration: %s refers to a secret of a vault, and a configuration holds neither secrets nor references '
                'to them. Remove it. This release binds no credential of an organization to a server; a token that every organization '
                'may use belongs into env of the catalog entry', f.what)
  from (
    -- In one array: returned as a set, the results of jsonb_path_query take time quadratic in their number.
    select left(m.member ->> 'key', 64) as what
    from jsonb_array_elements(jsonb_path_query_array(p_configuration, 'strict $.** ? (@.type() == "object").keyvalue()')) m(member)
    where m.member ->> 'key' ~* '(vault|secret)[a-z_-]*(id|ref|reference)s?$'
      and not coalesce(p_schema -> 'properties' ? (m.member ->> 'key'), false)
    union all
    select 'a value'
    where jsonb_path_exists(p_configuration, 'strict $.** ? (@.type() == "string" && @ like_regex "^(vault|secret)s?:" flag "i")')
  ) f limit 1;
end;

-- A configuration without the values that its schema marks `writeOnly`, at any depth.
create function weir.readable_configuration(p_schema jsonb, p_value jsonb) returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when jsonb_typeof(p_value) = 'object' then
      (select coalesce(jsonb_object_agg(e.key, weir.readable_configuration(p_schema -> 'properties' -> e.key, e.value)), '{}')
       from jsonb_each(p_value) e where p_schema -> 'properties' -> e.key -> 'writeOnly' is distinct from 'true')
    when jsonb_typeof(p_value) = 'array' then
      case when p_schema -> 'items' -> 'writeOnly' is distinct from 'true' then
        (select coalesce(jsonb_agg(weir.readable_configuration(p_schema -> 'items', a.item) order by a.n), '[]')
         from jsonb_array_elements(p_value) with ordinality a(item, n)) else '[]' end
    else p_value end;
end;
$$;

-- The members of a configuration that a change of its schema must not reveal: what the old schema hides, the new one hides too.
create function weir.still_hidden(p_value jsonb, p_old_schema jsonb, p_new_schema jsonb) returns jsonb
language sql immutable parallel safe
  return (select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(p_value) e
          where weir.readable_configuration(p_new_schema, jsonb_build_object(e.key, e.value))
                <@ weir.readable_configuration(p_old_schema, jsonb_build_object(e.key, e.value)));

-- A valid instance name, derived from one that is not valid.
create function weir.instance_name_like(p_name text) returns text
language sql immutable parallel safe
  return coalesce(nullif(btrim(left(btrim(regexp_replace(lower(left(p_name, 200)), '[^a-z0-9]+', '-', 'g'), '-'), 20), '-'), ''), 'server');

-- What the value of a member of server_config must be; null: there is no such member.
create function weir.server_config_rule(p_key text) returns text
language sql immutable parallel safe
  return case p_key
    when 'instance_name' then 'must be 1 to 20 of a-z, 0-9 and -'
    when 'catalog_server_id' then 'must be a uuid'
    when 'version' then 'must be 1 to 64 characters'
    when 'catalog' then 'must be 1 to 2048 characters'
    when 'url' then 'must be 1 to 2048 characters'
    when 'configuration' then 'must be an object'
    when 'share' then 'must be instance, credential or session'
    when 'max_sessions' then 'must be a number from 0 to 1024'
    when 'priority' then 'must be a number from 0 to 1000'
    when 'region' then 'must be 1 to 50 of a-z, 0-9 and -'
    when 'pin_policy' then 'must be trust_first or manual'
    when 'idempotency_key' then 'must be 1 to 100 characters'
    when 'chat' then 'must be {"offline": [...]} with at most 100 patterns of tools'
    when 'timeout_ms' then 'must be a number from 0 to 3600000'
    when 'max_retries' then 'must be a number from 0 to 5'
    when 'retry_backoff_ms' then 'must be a number from 0 to 10000' end;

-- What is wrong with server_config, or null. Weir's own settings may also be in `configuration`. p_is_whole: for a new server; otherwise it
-- names only what is to change. An explicit null is an error and not a default. Values are checked as text before they are cast, so that no
-- value raises.
create function weir.server_config_error(p_config jsonb, p_is_whole boolean) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
  v_value jsonb;
  v_type text;
begin
  if jsonb_typeof(p_config) is distinct from 'object' then
    return 'server_config: must be an object';
  end if;
  select k into v_key from unnest(weir.own_settings()) k
  where p_config ? k and p_config -> 'configuration' ? k and p_config -> k <> p_config -> 'configuration' -> k limit 1;
  if v_key is not null then
    return format('server_config.%s and server_config.configuration.%s: have different values; give only one of them', v_key, v_key);
  elsif p_is_whole and not p_config ? 'instance_name' then
    return 'server_config.instance_name: is missing';
  elsif p_is_whole and (p_config ? 'catalog')::integer + (p_config ? 'catalog_server_id')::integer + (p_config ? 'url')::integer <> 1 then
    return 'server_config: give exactly one of catalog_server_id, catalog and url';
  elsif p_config ?& array['catalog_server_id', 'version'] then
    return 'server_config.version: must be left out, because catalog_server_id names a version';
  elsif p_config ? 'url' and weir.with_own_settings(p_config) ?| array['configuration', 'version', 'max_sessions'] then
    return format('server_config.%s: must be left out for a remote server (url)',
                  case when p_config ? 'version' then 'version' when p_config ? 'max_sessions' then 'max_sessions'
                       else 'configuration' end);
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(weir.with_own_settings(p_config)) e loop
    v_type := jsonb_typeof(v_value);
    if not (case
      when v_key = 'instance_name' then v_type = 'string' and v_value #>> '{}' ~ '^[a-z0-9-]{1,20}$'
      when v_key = 'catalog_server_id' then v_type = 'string' and v_value #>> '{}' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
      when v_key = 'version' then v_type = 'string' and length(v_value #>> '{}') between 1 and 64
      when v_key in ('catalog', 'url') then v_type = 'string' and length(v_value #>> '{}') between 1 and 2048
      when v_key = 'configuration' then v_type = 'object'
      when v_key = 'share' then v_type = 'string' and v_value #>> '{}' in ('instance', 'credential', 'session')
      when v_key = 'max_sessions' then v_type = 'number' and v_value::text ~ '^[0-9]{1,4}$' and (v_value::text)::integer <= 1024
      when v_key = 'priority' then v_type = 'number' and v_value::text ~ '^[0-9]{1,4}$' and (v_value::text)::integer <= 1000
      when v_key = 'region' then v_type = 'string' and v_value #>> '{}' ~ '^[a-z0-9][a-z0-9-]{0,49}$'
      when v_key = 'pin_policy' then v_type = 'string' and v_value #>> '{}' in ('trust_first', 'manual')
      when v_key = 'idempotency_key' then v_type = 'string' and length(v_value #>> '{}') between 1 and 100
      when v_key = 'chat' then v_type = 'object' and (v_value - 'offline') = '{}'
        and case when jsonb_typeof(v_value -> 'offline') = 'array' then jsonb_array_length(v_value -> 'offline') <= 100
                      and not exists (select from jsonb_array_elements(v_value -> 'offline') g
                                      where jsonb_typeof(g) <> 'string' or weir.glob_error(g #>> '{}', '') is not null)
                 else not v_value ? 'offline' end
      when v_key = 'context' then true
      -- Zero is a value and not a default: no time, no retry, no pause.
      when v_key = 'timeout_ms' then v_type = 'number' and v_value::text ~ '^[0-9]{1,7}$' and (v_value::text)::integer <= 3600000
      when v_key = 'max_retries' then v_type = 'number' and v_value::text ~ '^[0-5]$'
      when v_key = 'retry_backoff_ms' then v_type = 'number' and v_value::text ~ '^[0-9]{1,5}$' and (v_value::text)::integer <= 10000
      else false
    end) then
      return 'server_config.' || left(v_key, 64) || ': ' || coalesce(weir.server_config_rule(v_key), 'is not known')
        || case when v_key = 'instance_name' and v_type = 'string' then '; ' || weir.instance_name_like(v_value #>> '{}') || ' would fit'
                else '' end;
    end if;
  end loop;
  return weir.context_config_error(p_config -> 'context');
end;
$$;

revoke all on function weir.context_config_error, weir.own_settings, weir.readable_configuration, weir.still_hidden,
  weir.with_own_settings, weir.secret_reference_error, weir.instance_name_like, weir.server_config_rule, weir.server_config_error
  from public;
grant execute on function weir.context_config_error, weir.own_settings, weir.readable_configuration, weir.still_hidden,
  weir.with_own_settings, weir.secret_reference_error, weir.instance_name_like, weir.server_config_rule, weir.server_config_error
  to weir_writer;
grant execute on function weir.own_settings, weir.readable_configuration to weir_system;
