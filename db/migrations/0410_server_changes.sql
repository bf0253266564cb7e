-- Updating and deleting servers, and the idempotency keys that make a repeated request harmless.

-- What an idempotency key was used for, and what was answered. Written by manage_mcp_servers under the organization's lock, so that of
-- two equal requests the second finds the answer of the first. Old keys are deleted (weir.purge).
create table weir.idempotency_keys (
  organization_id uuid not null,
  key text not null,
  -- SHA-256 of action, configuration and server id: enough to tell another request apart.
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

-- Whoever may manage the servers may know what was answered, to another admin too.
create policy idempotency_keys_are_read_by_admins on weir.idempotency_keys for select to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));

-- Insert only: what was answered does not change.
create policy idempotency_keys_are_written_by_admins on weir.idempotency_keys for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))));
grant select, insert (organization_id, key, request_hash, answer) on weir.idempotency_keys to weir_writer;

-- What makes two requests the same. jsonb has one order of members and no spaces, so spelling makes no difference.
create function weir.request_hash(p_action text, p_server_config jsonb, p_server_id uuid) returns bytea
language sql immutable parallel safe
  return sha256(convert_to(jsonb_build_array(p_action, p_server_config, p_server_id)::text, 'UTF8'));

-- The first answer, where the key was used for the same request; WR005 where it was used for another one; null where the key is new or
-- p_key is null. Its caller has checked who asks: an answer is for admins only.
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
                       'server_config.idempotency_key was used for something else');
  end if;
  return v_used.answer;
end;
$$;

-- What is wrong with an action and the frame of its configuration, or null. An action without a configuration takes an idempotency key
-- only: a member that would be ignored is an error. Sizes come first, so that nothing large is looked at. What is in a configuration is
-- checked by weir.server_config_error.
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
      then 'server_config: this action takes an idempotency_key only'
  end;

-- The action `update`, for manage_mcp_servers only, which has checked who asks and holds the organization's lock. Only what server_config
-- names changes; a catalog server stays of its entry, and a remote server stays remote. If the server runs and what it runs with changes,
-- its node restarts it with that, or a remote server is shaken hands with anew: running, updating, running. Otherwise only the row changes
-- and the next deployment uses it. Either way `resets` rises, and replicas drop what they hold of the server. WR005 while it is on its way
-- to another state.
create function weir.update_mcp_server(p_organization_id uuid, p_instance_id uuid, p_config jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_instance public.mcp_server_instances;
  v_new public.mcp_server_instances;
  v_catalog public.mcp_server_catalog;
  v_error text;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'update', p_organization_id => p_organization_id, p_instance_id => p_instance_id);
  select i.* into v_instance from public.mcp_server_instances i
  where i.id = p_instance_id and i.organization_id = p_organization_id and i.status not in ('deleting', 'deleted') for no key update;
  v_new := v_instance;
  v_error := weir.server_config_error(p_config, false);
  if v_instance.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such server');
  elsif v_error is null and v_instance.url is not null and p_config ?| array['catalog', 'version', 'configuration', 'max_sessions'] then
    v_error := 'server_config: a remote server has no catalog, version, configuration or max_sessions';
  elsif v_error is null and v_instance.url is null then
    select c.* into v_catalog from public.mcp_server_catalog c where c.id = v_instance.catalog_id;
    if p_config ? 'url' then
      v_error := 'server_config.url: a server of the catalog has none';
    elsif p_config ->> 'catalog' <> v_catalog.slug then
      v_error := 'server_config.catalog: a server stays of its catalog entry';
    elsif p_config ? 'version' and v_catalog.version <> p_config ->> 'version' then
      select c.* into v_catalog from public.mcp_server_catalog c
      where c.slug = v_catalog.slug and c.version = p_config ->> 'version' and c.is_published;
      if v_catalog.id is null then
        return weir.refuse(v_act, 'WR004', 'there is no such version in the catalog');
      end if;
    end if;
    v_new.catalog_id := v_catalog.id;
    v_new.configuration := coalesce(p_config -> 'configuration', v_instance.configuration);
    v_error := coalesce(v_error, weir.schema_error(v_catalog.configuration_schema, v_new.configuration, 'server_config.configuration'));
  elsif v_error is null and p_config ? 'url' and not weir.is_allowed_url(p_config ->> 'url') then
    v_error := 'server_config.url: must be an https address';
  end if;
  if v_error is not null then
    return weir.refuse(v_act, 'WR001', v_error);
  elsif v_instance.status in ('deploying', 'updating', 'stopping') then
    return weir.refuse(v_act, 'WR005', format('the server is %s', v_instance.status));
  end if;
  v_new.url := coalesce(p_config ->> 'url', v_instance.url);
  v_new.share := coalesce(p_config ->> 'share', v_instance.share);
  v_new.max_sessions := case when p_config ? 'max_sessions' then nullif((p_config ->> 'max_sessions')::integer, 0) else v_instance.max_sessions end;
  update public.mcp_server_instances i
  set name = coalesce(p_config ->> 'name', i.name), catalog_id = v_new.catalog_id, url = v_new.url, configuration = v_new.configuration,
      share = v_new.share, max_sessions = v_new.max_sessions, priority = coalesce((p_config ->> 'priority')::integer, i.priority),
      region = coalesce(p_config ->> 'region', i.region), pin_policy = coalesce(p_config ->> 'pin_policy', i.pin_policy),
      chat_offline = case when p_config -> 'chat' ? 'offline'
                          then array(select jsonb_array_elements_text(p_config -> 'chat' -> 'offline')) else i.chat_offline end,
      context_resources = case when p_config -> 'context' ? 'resources'
                               then array(select jsonb_array_elements_text(p_config -> 'context' -> 'resources')) else i.context_resources end,
      context_prompts = case when p_config -> 'context' ? 'prompts'
                             then array(select jsonb_array_elements_text(p_config -> 'context' -> 'prompts')) else i.context_prompts end,
      timeout_ms = coalesce((p_config ->> 'timeout_ms')::integer, i.timeout_ms),
      max_retries = coalesce((p_config ->> 'max_retries')::integer, i.max_retries),
      retry_backoff_ms = coalesce((p_config ->> 'retry_backoff_ms')::integer, i.retry_backoff_ms),
      resets = i.resets + 1,
      -- an admin who chooses a version approves what it announces first
      approved_generation = case when v_new.catalog_id is distinct from i.catalog_id then i.generation + 1 else i.approved_generation end
  where i.id = p_instance_id and i.organization_id = p_organization_id;
  if v_instance.status in ('running', 'degraded', 'failed')
     and (v_new.catalog_id, v_new.url, v_new.configuration, v_new.share, case when v_new.share = 'session' then v_new.max_sessions end)
         is distinct from (v_instance.catalog_id, v_instance.url, v_instance.configuration, v_instance.share,
                           case when v_instance.share = 'session' then v_instance.max_sessions end) then
    return weir.request_operation(p_organization_id, p_instance_id, 'update');
  end if;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', p_instance_id, 'status', v_instance.status);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;

-- The action `delete`, for manage_mcp_servers only. From this commit on nobody may use the server: its grants are revoked, requests for it
-- refused, and its name is free. Its node then ends it and removes its files, and the row stays as a tombstone, so that the audit log's
-- ids still mean something.
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
revoke all on function weir.request_hash(text, jsonb, uuid), weir.answered(uuid, text, text, jsonb, uuid), weir.action_error(text, jsonb),
  weir.update_mcp_server(uuid, uuid, jsonb), weir.delete_mcp_server(uuid, uuid) from public;
grant execute on function weir.request_hash(text, jsonb, uuid), weir.answered(uuid, text, text, jsonb, uuid),
  weir.action_error(text, jsonb) to weir_writer;
grant create on schema weir to weir_writer;
alter function weir.update_mcp_server(uuid, uuid, jsonb) owner to weir_writer;
alter function weir.delete_mcp_server(uuid, uuid) owner to weir_writer;
revoke create on schema weir from weir_writer;
