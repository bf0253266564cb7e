-- Grants: which agent may use which server, and what of it. Admins grant and revoke; an agent's owner may relinquish.

-- An owner or admin may (policy grants_are_made_by_admins). Agent and server must be of one organization that the caller belongs to, and
-- the server not deleted; else WR004, whoever asks. The new grant replaces the active one, which is revoked and stays as history, in one
-- transaction under the organization's lock: no call is decided between the two. Null p_expires_at: it does not expire; null
-- p_not_before: it holds at once. A repeated call is another grant; each has its row in the audit log, with the grant's id.
create function weir.grant_mcp_access(
  p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_expires_at timestamptz, p_not_before timestamptz) returns jsonb
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
  v_act := weir.act('grant', 'grant_mcp_access', 'admin', 'access is granted by an owner or admin',
                    p_agent_id => p_agent_id, p_instance_id => p_instance_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id;
  -- The server is looked for in the agent's organization: one of another organization does not exist, even for an admin of both.
  v_refusal := weir.authorize(v_act, 'there is no such agent or server', exists (
    select from public.mcp_server_instances i
    where i.id = p_instance_id and i.organization_id = v_act.organization_id and i.status not in ('deleting', 'deleted')));
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, coalesce('permissions ' || weir.permissions_error(p_permissions), case
      when p_not_before >= p_expires_at then 'not_before must be before expires_at'
      when p_expires_at <= clock_timestamp() then 'expires_at must be in the future' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.agent_mcp_permissions g set revoked_at = clock_timestamp(), revoked_by = v_actor
  where g.agent_id = p_agent_id and g.mcp_server_instance_id = p_instance_id and g.revoked_at is null;
  insert into public.agent_mcp_permissions
    (id, organization_id, agent_id, mcp_server_instance_id, permissions, not_before, expires_at, granted_by, granted_by_id)
  values (v_id, v_act.organization_id, p_agent_id, p_instance_id, p_permissions, p_not_before, p_expires_at, v_actor, v_actor);
  perform weir.record_act(v_act, p_grant_id => v_id);
  return jsonb_build_object('id', v_id, 'agent_id', p_agent_id, 'mcp_server_instance_id', p_instance_id);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;

-- An owner or admin may, or the agent's owner, who relinquishes (policy grants_are_revoked_by_admins_and_the_agent_s_owner). Effective
-- with the next call: the organization's lock waits for the admissions that run. The lock blocks calls, so permission is checked before
-- it is taken, and again while holding it. Without an active grant the answer is `revoked: false`, and there is no row in the audit log.
create function weir.revoke_mcp_access(p_agent_id uuid, p_instance_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_grant_id uuid;
  v_refusal jsonb;
begin
  v_act := weir.act('grant', 'revoke_mcp_access', 'manage_agent', 'access is revoked by an owner or admin, or by the agent''s owner',
                    p_agent_id => p_agent_id, p_instance_id => p_instance_id);
  select a.organization_id into v_act.organization_id
  from public.agents a
  join public.mcp_server_instances i on i.organization_id = a.organization_id and i.id = p_instance_id
  where a.id = p_agent_id;
  v_refusal := weir.authorize(v_act, 'there is no such agent or server');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.agent_mcp_permissions g set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
  where g.agent_id = p_agent_id and g.mcp_server_instance_id = p_instance_id and g.revoked_at is null
  returning g.id into v_grant_id;
  if v_grant_id is not null then
    perform weir.record_act(v_act, p_grant_id => v_grant_id);
  end if;
  return jsonb_build_object('revoked', v_grant_id is not null, 'id', v_grant_id);
end;
$$;
revoke all on function weir.grant_mcp_access(uuid, uuid, jsonb, timestamptz, timestamptz), weir.revoke_mcp_access(uuid, uuid) from public;
grant execute on function weir.grant_mcp_access(uuid, uuid, jsonb, timestamptz, timestamptz), weir.revoke_mcp_access(uuid,
  uuid) to authenticated;
grant create on schema weir to weir_writer;
alter function weir.grant_mcp_access(uuid, uuid, jsonb, timestamptz, timestamptz) owner to weir_writer;
alter function weir.revoke_mcp_access(uuid, uuid) owner to weir_writer;
revoke create on schema weir from weir_writer;

-- The published names; parameter names are API.
create function public.grant_mcp_access(
  agent_id uuid, mcp_server_instance_id uuid, permissions jsonb, expires_at timestamptz default null, not_before timestamptz default null)
returns jsonb
language sql volatile begin atomic select weir.grant_mcp_access($1, $2, $3, $4, $5); end;

create function public.revoke_mcp_access(agent_id uuid, mcp_server_instance_id uuid) returns jsonb
language sql volatile begin atomic select weir.revoke_mcp_access($1, $2); end;
revoke all on function public.grant_mcp_access(uuid, uuid, jsonb, timestamptz, timestamptz), public.revoke_mcp_access(uuid, uuid)
  from public, anon, authenticated, service_role;
grant execute on function public.grant_mcp_access(uuid, uuid, jsonb, timestamptz, timestamptz), public.revoke_mcp_access(uuid, uuid)
  to authenticated;
