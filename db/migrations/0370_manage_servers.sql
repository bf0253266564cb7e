-- manage_mcp_servers: the one function by which people change an organization's servers. Every statement names the organization beside the
-- id, so a server of another organization is treated as one that does not exist. No function here calls a node: the desired state is
-- committed, and a worker carries it out afterwards.

-- The request that used an idempotency key, and its answer. Written by manage_mcp_servers under the organization's lock, so that of two
-- equal requests the second finds the answer of the first. Old keys are deleted (weir.purge).
create table weir.idempotency_keys (
  organization_id uuid not null,
  key text not null,
  -- SHA-256 of action, configuration and server id, which tells another request apart.
  request_hash bytea not null,
  answer jsonb not null,
  created_at timestamptz not null default now(),
  constraint idempotency_keys_pkey primary key (organization_id, key),
  constraint idempotency_keys_key_is_1_to_100_characters check (length(key) between 1 and 100),
  constraint idempotency_keys_request_is_sha256 check (octet_length(request_hash) = 32),
  constraint idempotency_keys_organization foreign key (organization_id) references public.organizations (id) on delete cascade
);
alter table weir.idempotency_keys enable row level security, force row level security;
revoke all on weir.idempotency_keys from public, anon, authenticated, service_role;
comment on table weir.idempotency_keys is 'tenant: answers that a repeated request of manage_mcp_servers gets again';
-- For weir.purge, which deletes the oldest.
create index idempotency_keys_created_at_idx on weir.idempotency_keys (created_at);

-- An admin may see an answer that another admin got.
create policy idempotency_keys_are_read_by_admins on weir.idempotency_keys for select to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- Insert only: an answer does not change.
create policy idempotency_keys_are_written_by_admins on weir.idempotency_keys for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))));
-- The engine deletes expired keys of all organizations; it does not write them.
create policy idempotency_keys_are_purged_by_the_engine on weir.idempotency_keys for all to weir_system using (true) with check (true);
grant select, insert (organization_id, key, request_hash, answer) on weir.idempotency_keys to weir_writer;
grant select, delete on weir.idempotency_keys to weir_system;

-- The hash by which two requests are the same. jsonb has one order of members and no spaces, so formatting makes no difference.
create function weir.request_hash(p_action text, p_server_config jsonb, p_server_id uuid) returns bytea
language sql immutable parallel safe
  return sha256(convert_to(jsonb_build_array(p_action, p_server_config, p_server_id)::text, 'UTF8'));

-- The first answer, if the key was used for the same request; WR005 if it was used for another one; null if the key is new or p_key is
-- null. The caller has checked the permission: an answer is for admins only.
create function weir.answered(p_organization_id uuid, p_key text, p_action text, p_server_config jsonb, p_server_id uuid) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_used weir.idempotency_keys;
begin
  select k.* into v_used from weir.idempotency_keys k where k.organization_id = p_organization_id and k.key = p_key;
  if v_used.request_hash <> weir.request_hash(p_action, p_server_config, p_server_id) then
    return weir.refuse(weir.act('lifecycle', p_action, p_organization_id => p_organization_id, p_instance_id => p_server_id), 'WR005',
                       'server_config.idempotency_key was used for another request: choose a new key');
  end if;
  return v_used.answer;
end;
$$;

-- What is wrong with an action and the outer form of its configuration, or null. An action without a configuration takes an idempotency key
-- only: a member that would be ignored is an error. Sizes are checked first, so that nothing large is read. weir.server_config_error checks
-- the contents.
create function weir.action_error(p_action text, p_server_config jsonb) returns text
language sql immutable parallel safe
  return case
    when p_action is null or p_action not in ('create', 'update', 'delete', 'deploy', 'start', 'stop', 'restart')
      then 'action must be create, update, delete, deploy, start, stop or restart'
    when weir.bounds_error(p_server_config, 262144) is not null then 'server_config: ' || weir.bounds_error(p_server_config, 262144)
    when octet_length(p_server_config::text) > 131072 then 'server_config: is larger than 128 KiB'
    when p_server_config ? 'idempotency_key'
         and (jsonb_typeof(p_server_config -> 'idempotency_key') <> 'string'
              or length(p_server_config ->> 'idempotency_key') not between 1 and 100)
      then 'server_config.idempotency_key: must be 1 to 100 characters'
    when p_action not in ('create', 'update') and jsonb_typeof(p_server_config) <> 'object'
         or p_action not in ('create', 'update') and p_server_config - 'idempotency_key' <> '{}'
      then 'server_config: may have idempotency_key only, for this action'
  end;

-- What is wrong with a configuration, by the entry's schema and the ban on references to secrets; null: nothing.
create function weir.configuration_error(p_configuration jsonb, p_schema jsonb) returns text
language sql immutable parallel safe
  return coalesce(weir.secret_reference_error(p_configuration, p_schema),
                  weir.schema_error(p_schema, p_configuration, 'server_config.configuration'));

-- The answer of an acting function, refused or not: `success` says whether the request was accepted, not that it was carried out.
create function weir.acted(p_answer jsonb) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
  return jsonb_build_object('success', not p_answer ? 'error') || p_answer;

revoke all on function weir.request_hash, weir.answered, weir.action_error, weir.configuration_error from public;
grant execute on function weir.request_hash, weir.answered, weir.action_error, weir.configuration_error to weir_writer;
revoke all on function weir.acted from public;
grant execute on function weir.acted to authenticated;

-- The refusal to run a blocked version of a catalog entry; null if it is not blocked.
create function weir.refuse_blocked(p_act weir.act, p_catalog_server_id uuid) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason constant text := (select c.block_reason from public.mcp_server_catalog c where c.id = p_catalog_server_id);
begin
  return case when v_reason is not null
    then weir.refuse(p_act, 'WR005', 'the platform has blocked this version of the catalog entry: ' || v_reason) end;
end;
$$;

revoke all on function weir.refuse_blocked from public;
grant execute on function weir.refuse_blocked to weir_writer;

set local role weir_writer;

-- The action `create`. Only manage_mcp_servers calls it, after it has checked the permission and taken the organization's lock; no other
-- role may execute it. The tenant chooses the configuration of a catalog entry, which must fit the entry's schema, and never what is
-- executed. catalog_server_id names one version. `catalog` is the slug, by which a person names an entry; without `version` it means the
-- newest published version. The new server is `pending` until it is deployed.
create function weir.create_mcp_server(p_organization_id uuid, p_config jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_catalog public.mcp_server_catalog;
  v_config jsonb;
  v_endpoint_url text;
  v_error text;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create', p_organization_id => p_organization_id);
  -- Before the error that a remote server has no configuration, because this one says what to do.
  v_error := coalesce(case when p_config ? 'url' then weir.secret_reference_error(p_config -> 'configuration', '{}') end,
                      weir.server_config_error(p_config, true));
  if v_error is null then
    v_config := weir.with_own_settings(p_config);
  end if;
  if v_error is null and not p_config ? 'url' then
    select c.* into v_catalog from public.mcp_server_catalog c
    where c.state = 'published'
      and (c.id = (p_config ->> 'catalog_server_id')::uuid
           or (c.slug = p_config ->> 'catalog' and c.version = coalesce(p_config ->> 'version', c.version)))
    order by c.created_at desc, c.id desc limit 1;
    if v_catalog.id is null then
      return weir.refuse(v_act, 'WR004', 'there is no such catalog entry');
    end if;
    v_error := weir.configuration_error(coalesce(v_config -> 'configuration', '{}'), v_catalog.configuration_schema);
  elsif v_error is null and not weir.is_server_url(p_config ->> 'url') then
    v_error := 'server_config.url: must be an http or https address of at most 2048 characters, without a user name or a fragment';
  end if;
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  elsif weir.count_of('mcp_servers', p_organization_id)
        >= (select o.max_mcp_servers from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has reached its limit of servers (max_mcp_servers = '
                         || (select o.max_mcp_servers from public.organizations o where o.id = p_organization_id) || ')',
                       'Delete a server, or ask the operator to raise the limit.');
  end if;
  insert into public.mcp_server_instances
    (id, organization_id, instance_name, catalog_server_id, url, configuration, share, max_sessions, priority, region, pin_policy,
     chat_offline, context_resources, context_prompts, timeout_ms, max_retries, retry_backoff_ms, created_by)
  values
    (v_id, p_organization_id, v_config ->> 'instance_name', v_catalog.id, v_config ->> 'url', coalesce(v_config -> 'configuration', '{}'),
     coalesce(v_config ->> 'share', v_catalog.default_share, 'instance'), nullif((v_config ->> 'max_sessions')::integer, 0),
     coalesce((v_config ->> 'priority')::integer, 100),
     v_config ->> 'region', coalesce(v_config ->> 'pin_policy', 'trust_first'),
     coalesce((select array_agg(g) from jsonb_array_elements_text(v_config -> 'chat' -> 'offline') g), '{}'),
     array(select jsonb_array_elements_text(v_config -> 'context' -> 'resources')),
     array(select jsonb_array_elements_text(v_config -> 'context' -> 'prompts')),
     (v_config ->> 'timeout_ms')::integer, coalesce((v_config ->> 'max_retries')::integer, 1),
     coalesce((v_config ->> 'retry_backoff_ms')::integer, 100), weir.actor_id())
  returning endpoint_url into v_endpoint_url;
  v_act.instance_id := v_id;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', v_id, 'status', 'pending', 'operation_id', null, 'endpoint_url', v_endpoint_url);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_config ->> 'instance_name');
end;
$$;

-- The action `update`, for manage_mcp_servers only, which has checked the permission and holds the organization's lock. Only what
-- server_config names changes, also inside `configuration`, where null removes a member. A server of the catalog keeps its entry, and a
-- remote server stays remote. A value that the old version marks `writeOnly` and the new one does not is removed unless it is given again.
-- If the server runs and its definition changes, its node restarts it, or Weir makes a new handshake with a remote server; meanwhile it is
-- `updating`. Otherwise only the row changes and the next deployment uses it. In both cases `resets` rises, and replicas drop what they
-- cached of the server. WR005 while the server is changing its state.
create function weir.update_mcp_server(p_organization_id uuid, p_instance_id uuid, p_config jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_instance public.mcp_server_instances;
  v_new public.mcp_server_instances;
  v_catalog public.mcp_server_catalog;
  v_schema jsonb;
  v_config jsonb;
  v_restarts boolean;
  v_error text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'update', p_organization_id => p_organization_id, p_instance_id => p_instance_id);
  select i.* into v_instance from public.mcp_server_instances i
  where i.id = p_instance_id and i.organization_id = p_organization_id and i.status not in ('deleting', 'deleted') for no key update;
  v_new := v_instance;
  v_error := weir.server_config_error(p_config, false);
  if v_error is null then
    v_config := weir.with_own_settings(p_config);
  end if;
  if v_instance.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such server');
  elsif v_error is null and v_instance.url is not null
        and v_config ?| array['catalog', 'catalog_server_id', 'version', 'configuration', 'max_sessions'] then
    v_error := coalesce(weir.secret_reference_error(v_config -> 'configuration', '{}'), 'server_config: catalog_server_id, catalog, '
                        'version, max_sessions and the configuration of an entry must be left out for a remote server (url)');
  elsif v_error is null and v_instance.url is null then
    select c.* into v_catalog from public.mcp_server_catalog c where c.id = v_instance.catalog_server_id;
    v_schema := v_catalog.configuration_schema;
    if v_config ? 'url' then
      v_error := 'server_config.url: must be left out for a server of the catalog';
    elsif v_config ->> 'catalog' <> v_catalog.slug then
      v_error := 'server_config.catalog: a server cannot change to another catalog entry';
    elsif v_catalog.version <> v_config ->> 'version' or v_catalog.id <> (v_config ->> 'catalog_server_id')::uuid then
      -- A version of another entry does not match.
      select c.* into v_catalog from public.mcp_server_catalog c
      where c.slug = v_catalog.slug and c.state = 'published'
        and (c.version = v_config ->> 'version' or c.id = (v_config ->> 'catalog_server_id')::uuid);
      if v_catalog.id is null then
        return weir.refuse(v_act, 'WR004', 'there is no such version in the catalog');
      end if;
    end if;
    v_new.catalog_server_id := v_catalog.id;
    v_new.configuration := weir.still_hidden(v_instance.configuration, v_schema, v_catalog.configuration_schema)
                           || coalesce(v_config -> 'configuration', '{}');
    v_new.configuration := v_new.configuration - array(
      select e.key from jsonb_each(v_config -> 'configuration') e where e.value = 'null');
    v_error := coalesce(v_error, weir.configuration_error(v_new.configuration, v_catalog.configuration_schema));
  elsif v_error is null and v_config ? 'url' and not weir.is_server_url(v_config ->> 'url') then
    v_error := 'server_config.url: must be an http or https address of at most 2048 characters, without a user name or a fragment';
  end if;
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  elsif v_instance.status in ('deploying', 'updating', 'stopping') then
    return weir.refuse(v_act, 'WR005', format('the server is %s', v_instance.status));
  end if;
  v_new.url := coalesce(v_config ->> 'url', v_instance.url);
  v_new.share := coalesce(v_config ->> 'share', v_instance.share);
  v_new.max_sessions := case when v_config ? 'max_sessions' then nullif((v_config ->> 'max_sessions')::integer, 0)
                             else v_instance.max_sessions end;
  v_restarts := v_instance.status in ('running', 'degraded', 'failed') and v_instance.is_active
    and (v_new.catalog_server_id, v_new.url, v_new.configuration, v_new.share,
         case when v_new.share = 'session' then v_new.max_sessions end)
        is distinct from (v_instance.catalog_server_id, v_instance.url, v_instance.configuration, v_instance.share,
                          case when v_instance.share = 'session' then v_instance.max_sessions end);
  -- Before anything is changed: a refusal is returned and would roll nothing back.
  v_refusal := case when v_restarts then weir.refuse_blocked(v_act, v_new.catalog_server_id) end;
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.mcp_server_instances i
  set instance_name = coalesce(v_config ->> 'instance_name', i.instance_name), catalog_server_id = v_new.catalog_server_id,
      url = v_new.url, configuration = v_new.configuration,
      share = v_new.share, max_sessions = v_new.max_sessions, priority = coalesce((v_config ->> 'priority')::integer, i.priority),
      region = coalesce(v_config ->> 'region', i.region), pin_policy = coalesce(v_config ->> 'pin_policy', i.pin_policy),
      chat_offline = case when v_config -> 'chat' ? 'offline'
                          then array(select jsonb_array_elements_text(v_config -> 'chat' -> 'offline')) else i.chat_offline end,
      context_resources = case when v_config -> 'context' ? 'resources'
                               then array(select jsonb_array_elements_text(v_config -> 'context' -> 'resources'))
                               else i.context_resources end,
      context_prompts = case when v_config -> 'context' ? 'prompts'
                             then array(select jsonb_array_elements_text(v_config -> 'context' -> 'prompts')) else i.context_prompts end,
      timeout_ms = coalesce((v_config ->> 'timeout_ms')::integer, i.timeout_ms),
      max_retries = coalesce((v_config ->> 'max_retries')::integer, i.max_retries),
      retry_backoff_ms = coalesce((v_config ->> 'retry_backoff_ms')::integer, i.retry_backoff_ms),
      resets = i.resets + 1,
      -- An admin who chooses a version approves what it announces first.
      approved_generation = case when v_new.catalog_server_id is distinct from i.catalog_server_id then i.generation + 1
                                 else i.approved_generation end
  where i.id = p_instance_id and i.organization_id = p_organization_id
  returning i.endpoint_url into v_new.endpoint_url;
  if v_restarts then
    return weir.request_operation(p_organization_id, p_instance_id, 'update');
  end if;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', p_instance_id, 'status', v_instance.status, 'operation_id', null,
                            'endpoint_url', v_new.endpoint_url);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_config ->> 'instance_name');
end;
$$;

-- The action `delete`, for manage_mcp_servers only. After the commit nobody can use the server: its grants are revoked, requests for access
-- to it are refused, and its name is free. Its node then ends it and removes its files. The row stays (weir.bury_instance).
create function weir.delete_mcp_server(p_organization_id uuid, p_instance_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_answer constant jsonb := weir.request_operation(p_organization_id, p_instance_id, 'delete');
begin
  if not v_answer ? 'error' then
    update public.agent_mcp_permissions g set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
    where g.organization_id = p_organization_id and g.mcp_server_instance_id = p_instance_id and g.revoked_at is null;
    update public.permission_requests r set status = 'refused', decided_by = weir.actor_id(), decided_at = clock_timestamp()
    where r.organization_id = p_organization_id and r.mcp_server_instance_id = p_instance_id and r.status = 'open';
  end if;
  return v_answer;
end;
$$;

-- Commits the desired state of a server: its next state, a new generation and the row of the outbox, in one transaction. So nothing is
-- carried out that was not committed, and nothing committed is lost; weir.claim_operations continues from there. Only transitions of
-- weir.instance_moves are possible, and a version that the platform has blocked is not run. A restart keeps state and generation, because
-- the node reports the result, and a server has one open restart at most. A deletion that its node refused may be requested again. Only
-- weir_writer's own functions may execute it; they have checked the permission.
create function weir.request_operation(p_organization_id uuid, p_instance_id uuid, p_action text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_operation_id constant uuid := weir.uuid_v7();
  v_status text := case p_action when 'deploy' then 'deploying' when 'update' then 'updating' when 'stop' then 'stopping'
                                 when 'delete' then 'deleting' end;
  v_instance public.mcp_server_instances;
  v_open boolean;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', p_action, p_organization_id => p_organization_id, p_instance_id => p_instance_id);
  select i.* into v_instance from public.mcp_server_instances i
  where i.id = p_instance_id and i.organization_id = p_organization_id and i.status <> 'deleted' for no key update;
  v_status := coalesce(v_status, v_instance.status);
  v_open := exists (select from weir.dtma_operations o where o.organization_id = p_organization_id and o.instance_id = p_instance_id
                      and o.action = p_action and o.finished_at is null);
  if v_instance.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such server');
  elsif not (case
      when p_action = 'restart' then v_instance.status in ('running', 'degraded', 'failed') and not v_open
                                     and num_nonnulls(v_instance.url, v_instance.node_id) = 1
      -- A deletion that its node refused may be requested again.
      when v_instance.status = 'deleting' then p_action = 'delete' and not v_open
      else exists (select from weir.instance_moves m where m.from_status = v_instance.status and m.to_status = v_status)
    end) then
    return weir.refuse(v_act, 'WR005', format('the server is %s, and this action needs another state', v_instance.status));
  elsif p_action in ('deploy', 'update', 'restart') and not v_instance.is_active then
    return weir.refuse(v_act, 'WR005', case when v_instance.platform_stopped_at is not null
                                            then 'the platform has stopped this server, and only the platform starts it again'
                                            else 'the server is switched off: switch it on with set_mcp_server_active' end);
  end if;
  v_refusal := case when p_action in ('deploy', 'update', 'restart') then weir.refuse_blocked(v_act, v_instance.catalog_server_id) end;
  if v_refusal is not null then
    return v_refusal;
  end if;
  if p_action = 'restart' then
    update public.mcp_server_instances i set resets = i.resets + 1
    where i.id = p_instance_id and i.organization_id = p_organization_id;
  else
    update public.mcp_server_instances i
    set status = v_status, generation = i.generation + 1, resets = i.resets + 1, last_error_code = null, last_error = null,
        -- The new request counts, and not whether it ran when it was switched off.
        resumes = false,
        deployed_by = case when p_action in ('deploy', 'update') then weir.actor_id() else i.deployed_by end
    where i.id = p_instance_id and i.organization_id = p_organization_id
    returning i.generation into v_instance.generation;
  end if;
  insert into weir.dtma_operations (id, organization_id, instance_id, action, generation, created_by)
  values (v_operation_id, p_organization_id, p_instance_id, p_action, v_instance.generation, weir.actor_id());
  perform weir.record_act(v_act, v_operation_id::text);
  return jsonb_build_object('id', p_instance_id, 'status', v_status, 'operation_id', v_operation_id,
                            'endpoint_url', v_instance.endpoint_url);
end;
$$;

-- For owners and admins; other members get WR003, and outsiders WR004. The configuration is checked after that. With an idempotency key in
-- server_config a repeated request gets the first answer and does nothing. Refusals are not stored, so the key may be used again for the
-- corrected request.
create function weir.manage_mcp_servers(p_action text, p_organization_id uuid, p_server_config jsonb, p_server_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_key text;
  v_answer jsonb;
  v_refusal jsonb;
begin
  -- Cut, because the act is copied with each call, and an action may be as large as a request.
  v_act := weir.act('lifecycle', left(p_action, 1000), 'admin', 'only an owner or admin manages servers', p_organization_id,
                    p_instance_id => p_server_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, weir.action_error(p_action, p_server_config));
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_key := p_server_config ->> 'idempotency_key';
  v_answer := weir.answered(p_organization_id, v_key, p_action, p_server_config, p_server_id);
  if v_answer is not null then
    return v_answer;
  end if;
  v_answer := case p_action
    when 'create' then weir.create_mcp_server(p_organization_id, p_server_config)
    when 'update' then weir.update_mcp_server(p_organization_id, p_server_id, p_server_config)
    when 'delete' then weir.delete_mcp_server(p_organization_id, p_server_id)
    else weir.request_operation(p_organization_id, p_server_id, case p_action when 'start' then 'deploy' else p_action end)
  end;
  if v_key is not null and not v_answer ? 'error' then
    insert into weir.idempotency_keys (organization_id, key, request_hash, answer)
    values (p_organization_id, v_key, weir.request_hash(p_action, p_server_config, p_server_id), v_answer);
  end if;
  return v_answer;
end;
$$;
grant execute on function weir.manage_mcp_servers to authenticated;

-- For a caller who knows only the server's id. Its organization is found under the caller's policies, so a server that they do not see is
-- WR004; weir.manage_mcp_servers checks the rest.
create function weir.manage_server_by_id(p_action text, p_instance_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', left(p_action, 1000), 'see');
  select i.organization_id into v_act.organization_id from public.mcp_server_instances i where i.id = p_instance_id;
  v_refusal := weir.authorize(v_act, 'there is no such server');
  return coalesce(v_refusal, weir.manage_mcp_servers(p_action, v_act.organization_id, null, p_instance_id));
end;
$$;
grant execute on function weir.manage_server_by_id to authenticated;

-- The same, with the action and the server's id in one JSON value. It takes neither an address nor a payload, so that a caller can send a
-- node nothing else through it.
create function weir.call_dtma_api(p_request jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'call_dtma_api', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.bounds_error(p_request, 4096) is not null then
    return weir.refuse(v_act, 'WR001', 'request ' || weir.bounds_error(p_request, 4096));
  elsif jsonb_typeof(p_request) is distinct from 'object' then
    return weir.refuse(v_act, 'WR001', 'request must be {"action", "server_instance_id"}');
  elsif p_request - array['action', 'server_instance_id'] <> '{}' then
    return weir.refuse(v_act, 'WR001', format('request.%s: is not known; give action and server_instance_id only',
      (select left(k, 64) from jsonb_object_keys(p_request - array['action', 'server_instance_id']) k limit 1)));
  elsif coalesce(p_request ->> 'action', '') not in ('deploy', 'deploy_mcp_server', 'start', 'stop', 'stop_mcp_server', 'restart',
                                                     'delete') then
    return weir.refuse(v_act, 'WR001',
                       'request.action must be deploy (or deploy_mcp_server), start, stop (or stop_mcp_server), restart or delete');
  elsif coalesce(p_request ->> 'server_instance_id', '') !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
    return weir.refuse(v_act, 'WR001', 'request.server_instance_id must be a uuid');
  end if;
  return weir.manage_server_by_id(replace(p_request ->> 'action', '_mcp_server', ''), (p_request ->> 'server_instance_id')::uuid);
end;
$$;
grant execute on function weir.call_dtma_api to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.manage_mcp_servers(
  action text, organization_id uuid, server_config jsonb default null, server_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.acted(weir.manage_mcp_servers($1, $2, $3, $4)); end;
create function public.deploy_mcp_server_to_dtma(server_instance_id uuid) returns jsonb
language sql volatile begin atomic select weir.acted(weir.manage_server_by_id('deploy', $1)); end;
create function public.stop_mcp_server_instance(server_instance_id uuid) returns jsonb
language sql volatile begin atomic select weir.acted(weir.manage_server_by_id('stop', $1)); end;
create function public.call_dtma_api(request jsonb) returns jsonb
language sql volatile begin atomic select weir.acted(weir.call_dtma_api($1)); end;

revoke all on function public.manage_mcp_servers, public.deploy_mcp_server_to_dtma, public.stop_mcp_server_instance, public.call_dtma_api
  from public, anon, authenticated, service_role;
grant execute on function public.manage_mcp_servers, public.deploy_mcp_server_to_dtma, public.stop_mcp_server_instance,
  public.call_dtma_api to authenticated;
