-- The shape of `server_config`, which describes a server that is made or changed.

set local role weir_system;

-- Whether a remote server may have this address: https, or http to a host that the operator has allowed (setting egress_allow). What the
-- name resolves to is checked by the gateway, where the socket connects. Definer, because only weir_system reads settings; it answers
-- yes or no.
create function weir.is_allowed_url(p_url text) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return p_url ~ '^https://[^/?#@\s]+([/?][^#\s]*)?$'
      or (p_url ~ '^http://[^/?#@\s]+([/?][^#\s]*)?$'
          and exists (select from weir.settings s
                      where s.name = 'egress_allow' and s.value ? lower(substring(p_url from '^http://([^/?#]+)'))));
end;
$$;
grant execute on function weir.is_allowed_url to weir_writer;

reset role;

-- The error in server_config.context, with its path; null: none, or there is no such member. A closed grammar: unknown members
-- are refused, so that a misspelled one does not go unnoticed.
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
  -- Each member, then each of its elements; the first problem is the answer.
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
        return v_path || ': must be a URI of the server''s own';
      -- The person's message may fill a place of a URI. Nothing else may.
      elsif v_member = 'resources' and replace(v_item, '{message}', '') ~ '[{}]' then
        return v_path || ': only {message} can be filled in';
      end if;
    end loop;
  end loop;
  return null;
end;
$$;

-- What is wrong with server_config, or null. p_is_whole: for a new server; otherwise it names only what is to change. An explicit null is
-- an error and not a default. Values are checked as text before they are cast, so that no value raises.
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
  elsif p_is_whole and not p_config ? 'name' then
    return 'server_config.name: is missing';
  elsif p_is_whole and (p_config ? 'catalog') = (p_config ? 'url') then
    return 'server_config: give catalog or url';
  elsif p_config ? 'url' and (coalesce(p_config -> 'configuration', '{}') <> '{}' or p_config ?| array['version', 'max_sessions']) then
    return format('server_config.%s: a remote server has none',
                  case when p_config ? 'version' then 'version' when p_config ? 'max_sessions' then 'max_sessions'
                       else 'configuration' end);
  end if;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_config) e loop
    v_type := jsonb_typeof(v_value);
    if not (case
      when v_key = 'name' then v_type = 'string' and v_value #>> '{}' ~ '^[a-z0-9-]{1,20}$'
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
      -- Zero is a value and not a default: no time, no second try, no pause.
      when v_key = 'timeout_ms' then v_type = 'number' and v_value::text ~ '^[0-9]{1,7}$' and (v_value::text)::integer <= 3600000
      when v_key = 'max_retries' then v_type = 'number' and v_value::text ~ '^[0-5]$'
      when v_key = 'retry_backoff_ms' then v_type = 'number' and v_value::text ~ '^[0-9]{1,5}$' and (v_value::text)::integer <= 10000
      else false
    end) then
      return 'server_config.' || left(v_key, 64) || ': is not known or not valid';
    end if;
  end loop;
  return weir.context_config_error(p_config -> 'context');
end;
$$;

revoke all on function weir.context_config_error, weir.server_config_error from public;
grant execute on function weir.context_config_error, weir.server_config_error to weir_writer;
