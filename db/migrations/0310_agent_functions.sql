-- Agents and their keys. A member creates agents; an agent's owner and admins manage its keys.

-- A member may; a viewer gets WR003. The creator owns the agent (policy agents_are_created_by_their_owner), and may therefore manage its
-- keys. p_workspace_id brings the agent into a workspace in the same transaction, where the policies of workspace_members let the caller;
-- null: into none. The organization's lock makes max_agents exact.
create function weir.create_agent(p_organization_id uuid, p_name text, p_instructions text, p_workspace_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_agent', 'member', 'a viewer creates nothing', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif p_workspace_id is not null and not exists (
      select from public.workspaces w where w.id = p_workspace_id and w.organization_id = p_organization_id) then
    return weir.refuse(v_act, 'WR004', 'there is no such workspace');
  end if;
  v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name),
    case when octet_length(p_instructions) > 32768 then 'instructions must be at most 32 KiB' end));
  if v_refusal is not null then
    return v_refusal;
  elsif weir.count_of('agents', p_organization_id) >= (select o.max_agents from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of agents');
  end if;
  insert into public.agents (id, organization_id, name, instructions, owner_id, created_by)
  values (v_id, p_organization_id, btrim(p_name), p_instructions, v_actor, v_actor);
  if p_workspace_id is not null then
    insert into public.workspace_members (organization_id, workspace_id, agent_id) values (p_organization_id, p_workspace_id, v_id);
  end if;
  v_act.agent_id := v_id;
  perform weir.record_act(v_act);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;

-- The agent's owner or an admin may (policy agent_keys_are_made_by_admins_and_the_owner). Every member sees the agent, so anybody else
-- of the organization gets WR003, and an outsider WR004. The caller generates key id and secret at random and shows the secret once;
-- only its hash is kept, and only the key id is in the audit log. Null p_expires_at: the key does not expire. An agent has at most 100 keys
-- that are valid, which the organization's lock makes exact.
create function weir.create_agent_key(p_agent_id uuid, p_name text, p_key_id text, p_secret text, p_expires_at timestamptz) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('credential', 'create_agent_key', 'manage_agent', 'keys are made by the agent''s owner or an admin',
                    p_agent_id => p_agent_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id;
  v_refusal := weir.authorize(v_act, 'there is no such agent');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name), case
      when p_key_id is null or octet_length(p_key_id) <> 16 or p_key_id !~ '^[a-z0-9]{16}$' then 'key_id must be 16 of a-z and 0-9'
      when p_secret is null or octet_length(p_secret) <> 43 or p_secret !~ '^[A-Za-z0-9]{43}$' then 'secret must be 43 letters and digits'
      when p_expires_at <= now() then 'expires_at must be in the future' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif (select count(*) from public.agent_api_keys k
         where k.organization_id = v_act.organization_id and k.agent_id = p_agent_id and k.revoked_at is null
           and (k.expires_at is null or k.expires_at > now())) >= 100 then
    return weir.refuse(v_act, 'WR006', 'an agent may have 100 keys');
  end if;
  insert into public.agent_api_keys (organization_id, agent_id, name, key_id, secret_hash, created_by, expires_at)
  values (v_act.organization_id, p_agent_id, btrim(p_name), p_key_id, sha256(convert_to(p_secret, 'UTF8')), weir.actor_id(), p_expires_at);
  perform weir.record_act(v_act, p_key_id);
  return jsonb_build_object('key_id', p_key_id, 'agent_id', p_agent_id, 'expires_at', p_expires_at);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;

-- The agent's owner or an admin may. Nobody else sees the key (policy agent_keys_are_seen_by_admins_and_the_owner), so everybody else
-- gets WR004. Final, and effective with the next call: the organization's lock waits for the admissions that run. The key is looked up
-- again under the lock, because the caller may have lost the role while waiting. A repeated call leaves no row in the audit log.
create function weir.revoke_agent_key(p_key_id text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('credential', 'revoke_agent_key', 'see');
  select k.organization_id into v_act.organization_id from public.agent_api_keys k
  where k.key_id = p_key_id and octet_length(p_key_id) <= 16;
  v_refusal := weir.authorize(v_act, 'there is no such key');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- again under the lock: the caller may not see it any more
  select k.organization_id, k.agent_id into v_act.organization_id, v_act.agent_id from public.agent_api_keys k where k.key_id = p_key_id;
  if v_act.organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such key');
  end if;
  update public.agent_api_keys k set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
  where k.key_id = p_key_id and k.revoked_at is null;
  if found then
    perform weir.record_act(v_act, p_key_id);
  end if;
  return jsonb_build_object('key_id', p_key_id, 'revoked', true);
end;
$$;

-- Whether the caller is an admin of that organization or owns the agent, and is an active member: my_organizations and my_agents ask
-- for that. Not a definer; both read the caller's claims. The organization must be the agent's.
create function weir.may_manage_agent(p_organization_id uuid, p_agent_id uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from weir.my_organizations('admin') o where o = p_organization_id)
      or exists (select from weir.my_agents() a where a = p_agent_id);
end;
$$;
revoke all on function weir.create_agent(uuid, text, text, uuid), weir.create_agent_key(uuid, text, text, text, timestamptz),
  weir.revoke_agent_key(text), weir.may_manage_agent(uuid, uuid) from public;
grant execute on function weir.create_agent(uuid, text, text, uuid), weir.create_agent_key(uuid, text, text, text, timestamptz),
  weir.revoke_agent_key(text) to authenticated;
grant execute on function weir.may_manage_agent(uuid, uuid) to weir_writer, weir_system;
grant create on schema weir to weir_writer;
alter function weir.create_agent(uuid, text, text, uuid) owner to weir_writer;
alter function weir.create_agent_key(uuid, text, text, text, timestamptz) owner to weir_writer;
alter function weir.revoke_agent_key(text) owner to weir_writer;
revoke create on schema weir from weir_writer;

-- The published names; parameter names are API.
create function public.create_agent(organization_id uuid, name text, instructions text default null,
                                    workspace_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.create_agent($1, $2, $3, $4); end;

create function public.create_agent_key(agent_id uuid, name text, key_id text, secret text,
                                        expires_at timestamptz default null) returns jsonb
language sql volatile begin atomic select weir.create_agent_key($1, $2, $3, $4, $5); end;

create function public.revoke_agent_key(key_id text) returns jsonb
language sql volatile begin atomic select weir.revoke_agent_key($1); end;
revoke all on function public.create_agent(uuid, text, text, uuid), public.create_agent_key(uuid, text, text, text, timestamptz),
  public.revoke_agent_key(text) from public, anon, authenticated, service_role;
grant execute on function public.create_agent(uuid, text, text, uuid), public.create_agent_key(uuid, text, text, text, timestamptz),
  public.revoke_agent_key(text) to authenticated;
