-- Changes of members: role, status, leaving, and handing over the organization.

set local role weir_writer;

-- One change of one member; all published functions of this file call it. Admins change members, owners change owners, and everybody may
-- leave. A null p_role or p_status stays unchanged. The last active owner cannot be changed (WR005; weir.guard_last_owner refuses it too).
-- A person who is removed leaves the workspaces, and the keys of their agents are revoked. So if they accept an invitation later, they have
-- none of their earlier access. A call that changes nothing leaves no row in the audit log.
create function weir.change_member(p_act text, p_organization_id uuid, p_user_id uuid, p_role text, p_status text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_member public.organization_members;
  v_role text;
  v_status text;
  v_error text;
  v_leaves boolean;
  v_refusal jsonb;
  v_constraint text;
begin
  v_leaves := p_user_id = v_actor and p_status = 'removed' and p_role is null;
  v_error := case
    when p_act = 'set_member_role' and p_role is null or p_role not in ('owner', 'admin', 'member', 'viewer')
      then 'role must be owner, admin, member or viewer'
    when p_act = 'set_member_status' and p_status is null or p_status not in ('active', 'suspended', 'removed')
      then 'status must be active, suspended or removed'
    when p_act = 'transfer_ownership' and p_role = 'owner' and p_user_id = v_actor then 'user_id must be another member'
  end;
  -- Every member may leave, and every member gets the error for a wrong argument, whatever their role.
  v_act := weir.act('lifecycle', p_act, case when v_leaves or v_error is not null then 'see' else 'admin' end,
                    'only an owner or admin changes members', p_organization_id);
  v_refusal := weir.authorize(v_act, p_found => weir.may(v_act, 'viewer'));
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, v_error);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  select m.* into v_member from public.organization_members m
  where m.organization_id = p_organization_id and m.user_id = p_user_id and m.status <> 'removed';
  v_role := coalesce(p_role, v_member.role);
  v_status := coalesce(p_status, v_member.status);
  if v_member.user_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such member');
  elsif 'owner' in (v_member.role, v_role) and not weir.may(v_act, 'owner') then
    return weir.refuse(v_act, 'WR003', 'only an owner makes or changes an owner');
  elsif p_role = 'owner' and v_status <> 'active' then
    return weir.refuse(v_act, 'WR005', 'user_id is not active: reactivate the member first');
  elsif v_member.role = 'owner' and v_member.status = 'active' and (v_role, v_status) <> ('owner', 'active')
        and not exists (select from public.organization_members m where m.organization_id = p_organization_id
                          and m.role = 'owner' and m.status = 'active' and m.user_id <> p_user_id) then
    return weir.refuse(v_act, 'WR005', 'this is the last active owner: transfer the ownership first');
  end if;
  if (v_role, v_status) <> (v_member.role, v_member.status) then
    if v_status = 'removed' then
      -- A member who is invited again has no earlier access.
      delete from public.workspace_members w where w.organization_id = p_organization_id and w.user_id = p_user_id;
      update public.agent_api_keys k set revoked_at = clock_timestamp(), revoked_by = v_actor
      where k.organization_id = p_organization_id and k.revoked_at is null
        and k.agent_id in (select a.id from public.agents a where a.organization_id = p_organization_id and a.user_id = p_user_id);
    end if;
    update public.organization_members m set role = v_role, status = v_status, updated_at = now()
    where m.organization_id = p_organization_id and m.user_id = p_user_id;
    perform weir.record_act(v_act, concat_ws(' ', p_user_id, v_role, v_status));
  end if;
  return jsonb_build_object('organization_id', p_organization_id, 'user_id', p_user_id, 'role', v_role, 'status', v_status);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.change_member to authenticated;

-- An owner makes another member an owner and then becomes an admin. The order guarantees that there is always an owner.
create function weir.transfer_ownership(p_organization_id uuid, p_user_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_answer jsonb;
begin
  v_answer := weir.change_member('transfer_ownership', p_organization_id, p_user_id, 'owner', null);
  if not v_answer ? 'error' then
    perform weir.change_member('transfer_ownership', p_organization_id, weir.actor_id(), 'admin', null);
  end if;
  return v_answer;
end;
$$;
grant execute on function weir.transfer_ownership to authenticated;

reset role;

-- The published names; parameter names are API. The first argument of change_member is the name in the audit log.
create function public.set_member_role(organization_id uuid, user_id uuid, role text) returns jsonb
language sql volatile begin atomic select weir.change_member('set_member_role', $1, $2, $3, null); end;
create function public.set_member_status(organization_id uuid, user_id uuid, status text) returns jsonb
language sql volatile begin atomic select weir.change_member('set_member_status', $1, $2, null, $3); end;
create function public.leave_organization(organization_id uuid) returns jsonb
language sql volatile begin atomic select weir.change_member('leave_organization', $1, weir.actor_id(), null, 'removed'); end;
create function public.transfer_ownership(organization_id uuid, user_id uuid) returns jsonb
language sql volatile begin atomic select weir.transfer_ownership($1, $2); end;

revoke all on function public.set_member_role, public.set_member_status, public.leave_organization, public.transfer_ownership
  from public, anon, authenticated, service_role;
grant execute on function public.set_member_role, public.set_member_status, public.leave_organization, public.transfer_ownership
  to authenticated;
