-- The switch of tools in chat: an admin turns it for the organization, and the operator for all (setting chat_tools, `weir chat-tools`).
-- It holds from a turn's next call on, because it is read where a turn records the call that it is about to make (weir.record_chat_call).
-- An agent's own key is not affected.

alter table public.organizations
  -- Whether chat turns may use tools.
  add column chat_tools boolean not null default true;
-- For weir.set_chat_tools. Of an organization nothing but chat_tools is granted to be changed.
create policy organizations_are_switched_by_admins on public.organizations for update to weir_writer
  using (id = any(array(select weir.my_organizations('admin')))) with check (id = any(array(select weir.my_organizations('admin'))));
grant update (chat_tools) on public.organizations to weir_writer;
grant select (chat_tools) on public.organizations to weir_system;

-- Whether chat turns of the organization may use tools: both switches must permit it. Without the operator's setting they may.
create function weir.chat_has_tools(p_organization_id uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from public.organizations o where o.id = p_organization_id and o.chat_tools)
     and not exists (select from weir.settings s where s.name = 'chat_tools' and s.value <> 'true');
end;
$$;

-- An admin may (policy organizations_are_switched_by_admins); other members get WR003, and outsiders WR004. A repeated call updates
-- nothing, because an update of the organization's row takes its lock, which blocks calls; nor does it leave a row in the audit log.
create function weir.set_chat_tools(p_organization_id uuid, p_enabled boolean) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_chat_tools', 'admin', 'tools are switched by an owner or admin', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_enabled is null then
    return weir.refuse(v_act, 'WR001', 'enabled must be true or false');
  end if;
  update public.organizations o set chat_tools = p_enabled where o.id = p_organization_id and o.chat_tools <> p_enabled;
  if found then
    perform weir.record_act(v_act, p_enabled::text);
  end if;
  return jsonb_build_object('organization_id', p_organization_id, 'chat_tools', p_enabled);
end;
$$;

-- What a turn goes by besides the agent's catalog: whether it may use tools; and for each server that is granted and runs, what it adds to
-- the turn and how long to wait for it, by priority. It is a hint for what to ask; each request is admitted on its own. WR004 if the
-- person may not act through the agent. Definer, for the engine only: a turn acts for a person and an agent at once, and
-- weir.principal_agent decides whether it may.
create function weir.chat_turn_settings(p_user_id uuid, p_agent_id uuid) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent_id constant uuid := weir.principal_agent(null, null, p_user_id, p_agent_id);
begin
  if v_agent_id is null then
    raise exception using errcode = 'WR004', message = 'there is no such agent';
  end if;
  return (
    select jsonb_build_object('tools', weir.chat_has_tools(a.organization_id), 'servers', coalesce((
      select jsonb_agg(jsonb_build_object(
               'id', i.id, 'name', i.name, 'priority', i.priority, 'resources', i.context_resources, 'prompts', i.context_prompts,
               'timeoutMs', i.timeout_ms, 'maxRetries', i.max_retries, 'retryBackoffMs', i.retry_backoff_ms) order by i.priority, i.id)
      from public.agent_mcp_permissions g
      join public.mcp_server_instances i on i.id = g.mcp_server_instance_id and i.organization_id = g.organization_id
      left join public.mcp_server_catalog c on c.id = i.catalog_id
      where g.agent_id = a.id and g.organization_id = a.organization_id and g.revoked_at is null
        and (g.not_before is null or g.not_before <= clock_timestamp())
        and (g.expires_at is null or g.expires_at > clock_timestamp())
        and i.status in ('running', 'degraded') and coalesce(c.is_published, true)), '[]'))
    from public.agents a
    where a.id = v_agent_id);
end;
$$;

revoke all on function weir.chat_has_tools(uuid), weir.set_chat_tools(uuid, boolean), weir.chat_turn_settings(uuid, uuid) from public;
grant execute on function weir.chat_has_tools(uuid) to weir_system;
grant execute on function weir.set_chat_tools(uuid, boolean) to authenticated;
grant execute on function weir.chat_turn_settings(uuid, uuid) to weir_engine;
grant create on schema weir to weir_system, weir_writer;
alter function weir.set_chat_tools(uuid, boolean) owner to weir_writer;
alter function weir.chat_turn_settings(uuid, uuid) owner to weir_system;
revoke create on schema weir from weir_system, weir_writer;

-- The published name; parameter names are API.
create function public.set_chat_tools(organization_id uuid, enabled boolean) returns jsonb
language sql volatile begin atomic select weir.set_chat_tools($1, $2); end;
revoke all on function public.set_chat_tools(uuid, boolean) from public, anon, authenticated, service_role;
grant execute on function public.set_chat_tools(uuid, boolean) to authenticated;
