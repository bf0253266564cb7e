-- Changes and deletion of agents and organizations, and the final deletion of what was deleted.

set local role weir_system;

-- Removes an agent from all workspaces and datastores. Its caller, weir.delete_agent, has checked the permission. Definer: the agent's
-- owner may not see all of them.
create function weir.take_out_agent(p_organization_id uuid, p_agent_id uuid) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.workspace_members m where m.organization_id = p_organization_id and m.agent_id = p_agent_id;
  delete from public.agent_datastores l where l.organization_id = p_organization_id and l.agent_id = p_agent_id;
end;
$$;
grant execute on function weir.take_out_agent to weir_writer;

reset role;

set local role weir_writer;

-- For the agent's owner and admins. A null argument changes nothing; empty instructions are removed.
create function weir.update_agent(p_agent_id uuid, p_name text, p_instructions text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_name text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'update_agent', 'manage_agent', 'only its owner or an admin changes an agent', p_agent_id => p_agent_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id and a.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such agent');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, coalesce(case when p_name is not null then weir.name_error('name', p_name) end,
      case when octet_length(p_instructions) > 32768 then 'instructions must be at most 32 KiB' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.agents a
  set name = coalesce(btrim(p_name), a.name), updated_at = now(),
      instructions = case when p_instructions is null then a.instructions else nullif(p_instructions, '') end
  where a.id = p_agent_id and a.deleted_at is null
  returning a.name into v_name;
  if v_name is null then
    return weir.refuse(v_act, 'WR004', 'there is no such agent');
  end if;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', p_agent_id, 'name', v_name);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_name);
end;
$$;
grant execute on function weir.update_agent to authenticated;

-- For the agent's owner and admins; final. Its keys and grants are revoked, it leaves its workspaces and datastores, and its name is free.
-- The row stays, so that the audit log and the chat keep its name; only weir_writer sees it.
create function weir.delete_agent(p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_agent', 'manage_agent', 'only its owner or an admin deletes an agent', p_agent_id => p_agent_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id and a.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such agent');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.agent_api_keys k set revoked_at = clock_timestamp(), revoked_by = v_actor
  where k.organization_id = v_act.organization_id and k.agent_id = p_agent_id and k.revoked_at is null;
  update public.agent_mcp_permissions g set revoked_at = clock_timestamp(), revoked_by = v_actor
  where g.organization_id = v_act.organization_id and g.agent_id = p_agent_id and g.revoked_at is null;
  perform weir.take_out_agent(v_act.organization_id, p_agent_id);
  -- Last: the permissions of its owner depend on the agent.
  update public.agents a set deleted_at = clock_timestamp(), deleted_by = v_actor where a.id = p_agent_id and a.deleted_at is null;
  if not found then
    return weir.refuse(v_act, 'WR004', 'there is no such agent');
  end if;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', p_agent_id, 'deleted', true);
end;
$$;
grant execute on function weir.delete_agent to authenticated;

-- For owners. A null argument changes nothing.
create function weir.update_organization(p_organization_id uuid, p_name text, p_slug text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_answer jsonb;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'update_organization', 'owner', 'only an owner changes an organization', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, coalesce(case when p_name is not null then weir.name_error('name', p_name) end,
      case when octet_length(p_slug) > 40 or p_slug !~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'
           then 'slug must be 1 to 40 of a-z, 0-9 and -' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.organizations o set name = coalesce(btrim(p_name), o.name), slug = coalesce(p_slug, o.slug), updated_at = now()
  where o.id = p_organization_id
  returning jsonb_build_object('id', o.id, 'name', o.name, 'slug', o.slug) into v_answer;
  perform weir.record_act(v_act);
  return v_answer;
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_slug);
end;
$$;
grant execute on function weir.update_organization to authenticated;

-- For owners. After the commit nobody sees the organization or acts in it; its calls are denied and its servers end. For 30 days its owners
-- may restore it, export it and read its audit log (weir.my_deleted_organizations); then weir.purge_deleted deletes its contents.
create function weir.delete_organization(p_organization_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_deleted_at constant timestamptz := clock_timestamp();
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_organization', 'owner', 'only an owner deletes an organization', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  perform weir.switch_servers(p_organization_id, null, false);
  update public.organizations o set deleted_at = v_deleted_at, deleted_by = weir.actor_id() where o.id = p_organization_id;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', p_organization_id, 'deleted', true, 'restorable_until', v_deleted_at + interval '30 days');
end;
$$;
grant execute on function weir.delete_organization to authenticated;

reset role;

set local role weir_system;

-- For owners of an organization that was deleted less than 30 days ago; everybody else gets WR004. Servers that ran when it was deleted
-- start again. Definer: nobody sees an organization that is deleted.
create function weir.restore_organization(p_organization_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'restore_organization', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif not exists (select from weir.my_deleted_organizations() o where o = p_organization_id) then
    return weir.refuse(v_act, 'WR004', 'there is no such organization');
  end if;
  perform weir.lock_organization(p_organization_id);
  update public.organizations o set deleted_at = null, deleted_by = null
  where o.id = p_organization_id and o.id = any(array(select weir.my_deleted_organizations()));
  if not found then
    return weir.refuse(v_act, 'WR004', 'there is no such organization');
  end if;
  perform weir.switch_servers(p_organization_id, null, true);
  v_act.organization_id := p_organization_id;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', p_organization_id, 'restored', true);
end;
$$;
grant execute on function weir.restore_organization to authenticated;

-- Deletes what people have deleted, at most p_limit messages: the messages of deleted channels and workspaces, then those channels and
-- workspaces, and the contents of organizations that were deleted 30 days ago, one organization at a time: its servers, whose nodes remove
-- the files, its documents, its chat, the instructions of its agents and its invitations. Its row, its members, the history of grants and
-- keys, and the audit log stay as evidence of who could do what. Returns how many rows; the caller repeats. Definer: of all organizations.
-- force_custom_plan and seqscan (decision 0061): what is due may be nothing or most of a table.
create function weir.purge_deleted(p_limit integer) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
declare
  -- Also the parameter of each statement: PostgreSQL keeps the plan of a statement without one, whatever plan_cache_mode says.
  v_now constant timestamptz := clock_timestamp();
  v_organization_id uuid;
  v_count integer;
begin
  select o.id into v_organization_id from public.organizations o
  where o.deleted_at <= v_now - interval '30 days' and o.purged_at is null
  order by o.deleted_at limit 1 for update skip locked;
  if v_organization_id is not null and weir.try_lock_organization(v_organization_id, v_now + interval '500 milliseconds') then
    with gone as (
      update public.mcp_server_instances i
      set status = 'deleting', generation = i.generation + 1, resets = i.resets + 1, resumes = false
      where i.organization_id = v_organization_id and i.status not in ('deleting', 'deleted')
      returning i.organization_id, i.id, i.generation)
    insert into weir.dtma_operations (organization_id, instance_id, action, generation)
    select g.organization_id, g.id, 'delete', g.generation from gone g;
    update public.workspaces w set deleted_at = v_now where w.organization_id = v_organization_id and w.deleted_at is null;
    update public.datastores d set deleted_at = v_now where d.organization_id = v_organization_id and d.deleted_at is null;
    update public.agents a set instructions = null, deleted_at = coalesce(a.deleted_at, v_now) where a.organization_id = v_organization_id;
    delete from public.organization_invitations i where i.organization_id = v_organization_id;
    update public.organizations o set purged_at = v_now where o.id = v_organization_id;
    perform weir.record_event('lifecycle', v_organization_id, p_item => 'purge_organization');
  end if;
  delete from public.chat_messages m where m.id in (
    select x.id from public.chat_channels c
    join public.workspaces w on w.id = c.workspace_id
    join public.chat_messages x on x.organization_id = c.organization_id and x.workspace_id = c.workspace_id and x.channel_id = c.id
    where (c.deleted_at <= v_now or w.deleted_at <= v_now) limit greatest(p_limit, 0));
  get diagnostics v_count = row_count;
  delete from public.chat_channels c
  where (c.deleted_at <= v_now or exists (select from public.workspaces w where w.id = c.workspace_id and w.deleted_at <= v_now))
    and not exists (select from public.chat_messages m
                    where m.organization_id = c.organization_id and m.workspace_id = c.workspace_id and m.channel_id = c.id);
  delete from public.workspaces w
  where w.deleted_at <= v_now and not exists (select from public.chat_channels c where c.workspace_id = w.id);
  return v_count;
end;
$$;
grant execute on function weir.purge_deleted to weir_engine;

reset role;

-- The published names; parameter names are API.
create function public.update_agent(agent_id uuid, name text default null, instructions text default null) returns jsonb
language sql volatile begin atomic select weir.update_agent($1, $2, $3); end;
create function public.delete_agent(agent_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_agent($1); end;
create function public.update_organization(organization_id uuid, name text default null, slug text default null) returns jsonb
language sql volatile begin atomic select weir.update_organization($1, $2, $3); end;
create function public.delete_organization(organization_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_organization($1); end;
create function public.restore_organization(organization_id uuid) returns jsonb
language sql volatile begin atomic select weir.restore_organization($1); end;

revoke all on function public.update_agent, public.delete_agent, public.update_organization, public.delete_organization,
  public.restore_organization from public, anon, authenticated, service_role;
grant execute on function public.update_agent, public.delete_agent, public.update_organization, public.delete_organization,
  public.restore_organization to authenticated;
