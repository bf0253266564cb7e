-- Creating a server. weir.manage_mcp_servers is the one entry to this and to every other action on servers. Each statement names the
-- organization beside the server's id, so a server of another organization does not exist. Nothing here calls a node: what is wanted is
-- committed with its row of the outbox, and a worker carries it out.

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

-- The action `create`. Only manage_mcp_servers calls it, which has checked who asks and holds the organization's lock; nobody else may
-- execute it. The tenant chooses the configuration of a catalog entry, which must fit the entry's schema, and never what is executed.
-- Without `version` the newest that is published is taken. The new server is `pending` until somebody deploys it.
create function weir.create_mcp_server(p_organization_id uuid, p_config jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_catalog public.mcp_server_catalog;
  v_error text;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create', p_organization_id => p_organization_id);
  v_error := weir.server_config_error(p_config, true);
  if v_error is null and p_config ? 'catalog' then
    select c.* into v_catalog from public.mcp_server_catalog c
    where c.slug = p_config ->> 'catalog' and c.is_published and c.version = coalesce(p_config ->> 'version', c.version)
    order by c.created_at desc, c.id desc limit 1;
    if v_catalog.id is null then
      return weir.refuse(v_act, 'WR004', 'there is no such catalog server');
    end if;
    v_error := weir.schema_error(v_catalog.configuration_schema, coalesce(p_config -> 'configuration', '{}'),
                                 'server_config.configuration');
  elsif v_error is null and not weir.is_allowed_url(p_config ->> 'url') then
    v_error := 'server_config.url: must be an https address';
  end if;
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  elsif weir.count_of('mcp_servers', p_organization_id)
        >= (select o.max_mcp_servers from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of servers');
  end if;
  insert into public.mcp_server_instances
    (id, organization_id, name, catalog_id, url, configuration, share, max_sessions, priority, region, pin_policy, chat_offline,
     context_resources, context_prompts, timeout_ms, max_retries, retry_backoff_ms, created_by)
  values
    (v_id, p_organization_id, p_config ->> 'name', v_catalog.id, p_config ->> 'url', coalesce(p_config -> 'configuration', '{}'),
     coalesce(p_config ->> 'share', v_catalog.default_share, 'instance'), nullif((p_config ->> 'max_sessions')::integer, 0),
     coalesce((p_config ->> 'priority')::integer, 100),
     p_config ->> 'region', coalesce(p_config ->> 'pin_policy', 'trust_first'),
     coalesce((select array_agg(g) from jsonb_array_elements_text(p_config -> 'chat' -> 'offline') g), '{}'),
     array(select jsonb_array_elements_text(p_config -> 'context' -> 'resources')),
     array(select jsonb_array_elements_text(p_config -> 'context' -> 'prompts')),
     (p_config ->> 'timeout_ms')::integer, coalesce((p_config ->> 'max_retries')::integer, 1),
     coalesce((p_config ->> 'retry_backoff_ms')::integer, 100), weir.actor_id());
  v_act.instance_id := v_id;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', v_id, 'status', 'pending');
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
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
revoke all on function weir.is_allowed_url(text), weir.create_mcp_server(uuid, jsonb), weir.server_config_error(jsonb, boolean) from public;
grant execute on function weir.is_allowed_url(text), weir.server_config_error(jsonb, boolean) to weir_writer;
grant create on schema weir to weir_system, weir_writer;
alter function weir.is_allowed_url(text) owner to weir_system;
alter function weir.create_mcp_server(uuid, jsonb) owner to weir_writer;
revoke create on schema weir from weir_system, weir_writer;
