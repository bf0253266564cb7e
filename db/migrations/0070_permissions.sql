-- How a published function asks whether the caller may, and how it refuses.
--
-- A published function is a wrapper in `public` around a definer of weir_writer, because API roles may only select. Row-level security
-- still decides inside: the policies of weir_writer test the caller's claims as those of `authenticated` do. Whoever may not see a thing
-- gets WR004 for it, as for one that does not exist, so that nobody learns what other organizations have. A refusal is returned, not
-- raised, because an exception would roll back its row in the audit log.

-- An act is what a published function does, who may do it, and on what. Its refusals and its success record it. A function fills in the
-- ids as it finds them; without an organization a refusal is only counted. The workspace is not recorded: one permission needs it.
create type weir.act as (
  kind text, item text, permission text, denial text, organization_id uuid, agent_id uuid, instance_id uuid, workspace_id uuid
);
revoke all on type weir.act from public;
grant usage on type weir.act to weir_writer, weir_system;

-- Makes an act by named arguments, since most acts lack most of them.
create function weir.act(
  p_kind text, p_item text, p_permission text default null, p_denial text default null, p_organization_id uuid default null,
  p_agent_id uuid default null, p_instance_id uuid default null, p_workspace_id uuid default null) returns weir.act
language sql immutable parallel safe
  return row(p_kind, p_item, p_permission, p_denial, p_organization_id, p_agent_id, p_instance_id, p_workspace_id)::weir.act;

-- Records that an act was done, in the words in which its refusal would be recorded.
create function weir.record_act(p_act weir.act, p_detail text default null, p_grant_id uuid default null) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.record_event(p_act.kind, p_act.organization_id, p_agent_id => p_act.agent_id, p_instance_id => p_act.instance_id,
                            p_item => p_act.item, p_detail => p_detail, p_grant_id => p_grant_id);
end;
$$;

revoke all on function weir.act, weir.record_act from public;
grant execute on function weir.act, weir.record_act to weir_writer, weir_system;

set local role weir_system;

-- Records a denial and returns it as an error. A member's denial is a row in the audit log of the organization that they named, also
-- while the member is suspended. Anybody else's is only counted, so that an outsider cannot fill another organization's audit log.
-- Definer: no person may write the audit log. The actor is the verified token's and never a parameter.
create function weir.refuse(p_act weir.act, p_code text, p_message text, p_hint text default null) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason constant text := case p_code
    when 'WR001' then 'invalid_argument' when 'WR002' then 'unauthenticated' when 'WR003' then 'forbidden'
    when 'WR004' then 'not_found' when 'WR005' then 'conflict' when 'WR006' then 'quota_exceeded'
    when 'WR008' then 'rate_limited' when 'WR010' then 'not_supported' else 'error' end;
begin
  if exists (select from public.organization_members m
             where m.organization_id = p_act.organization_id and m.user_id = weir.actor_id()
               and m.status in ('active', 'suspended')) then
    perform weir.record_event(p_act.kind, p_act.organization_id, v_reason, p_act.agent_id, p_act.instance_id, p_act.item, p_message);
  else
    perform weir.record_security_events(array[v_reason], array[''], array[null::inet], array[1]);
  end if;
  return weir.error(p_code, p_message, p_hint);
end;
$$;
grant execute on function weir.refuse to weir_writer;

reset role;

-- Turns an error that a writing function has caught into a refusal. The names of constraints state their rule, so they can be shown
-- to the caller. All else that is caught is a refusal of row-level security, hence WR003.
create function weir.refuse_violation(p_act weir.act, p_sqlstate text, p_constraint text) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return case p_sqlstate
    when '23505' then weir.refuse(p_act, 'WR005', 'this is already there', p_constraint)
    when '23503' then weir.refuse(p_act, 'WR004', 'what this refers to does not exist')
    when '23514' then weir.refuse(p_act, 'WR001', replace(p_constraint, '_', ' '))
    when '23502' then weir.refuse(p_act, 'WR001', 'a required value is missing')
    else weir.refuse(p_act, 'WR003', 'this is not allowed')
  end;
end;
$$;

-- Whether the caller has a permission on what the act is about. The permissions are a closed set, so that a misspelt one is an error.
-- One `if` for each, because PostgreSQL checks the privileges of all functions in an expression, also of those that it does not call, and
-- weir_system may not execute all of these.
create function weir.may(p_act weir.act, p_permission text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_permission = 'signed_in' then
    return weir.actor_id() is not null;
  elsif p_act.organization_id is null then
    return false;
  elsif p_permission = 'see' then
    -- the function has found the object by the caller's policies, and with it the organization
    return true;
  elsif p_permission in ('viewer', 'member', 'admin', 'owner') then
    -- that role or a higher one
    return exists (select from weir.my_organizations(p_permission) o where o = p_act.organization_id);
  elsif p_permission = 'own_agent' then
    return exists (select from weir.my_agents() a where a = p_act.agent_id);
  elsif p_permission = 'manage_agent' then
    return weir.may_manage_agent(p_act.organization_id, p_act.agent_id);
  elsif p_permission = 'add_to_workspace' then
    return weir.may_add_to_workspace(p_act.organization_id, p_act.workspace_id, p_act.agent_id);
  elsif p_permission = 'choose_model' then
    return weir.may_choose_model(p_act.organization_id, p_act.agent_id);
  end if;
  raise exception 'there is no permission %', p_permission;
end;
$$;

-- Null if the caller may do the act, or the refusal to return. Every published function that writes asks this before it looks at arguments
-- that may be large. The order of the answers tells a caller nothing about what they do not see:
--   WR002  nobody is signed in
--   WR004  the caller does not see the organization, or p_found says that they do not see an object (p_missing)
--   WR003  the caller does not have the act's permission (its denial)
create function weir.authorize(
  p_act weir.act, p_missing text default 'there is no such organization', p_found boolean default true) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_may boolean;
begin
  if weir.actor_id() is null then
    return weir.refuse(p_act, 'WR002', 'sign in first');
  end if;
  v_may := weir.may(p_act, p_act.permission);
  -- every permission on an organization includes that the caller sees it
  if p_found is not true or not (v_may or weir.may(p_act, 'viewer')) then
    return weir.refuse(p_act, 'WR004', p_missing);
  elsif not v_may then
    return weir.refuse(p_act, 'WR003', p_act.denial);
  end if;
  return null;
end;
$$;

-- Takes the organization's lock for an act that weir.authorize has permitted: null, or the refusal to return. The lock blocks calls, so
-- nobody takes it without the permission or with a wrong argument (p_error, WR001). The caller may have lost the permission while they
-- waited for the lock, so it is checked again under it. A function that asks for 'see' only looks its object up again itself.
create function weir.lock_for(p_act weir.act, p_error text default null) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_error is not null then
    return weir.refuse(p_act, 'WR001', p_error);
  end if;
  perform weir.lock_organization(p_act.organization_id);
  if not weir.may(p_act, p_act.permission) then
    return weir.refuse(p_act, 'WR003', p_act.denial);
  end if;
  return null;
end;
$$;

-- For published functions that only read. They are stable, so they cannot record a refusal, and raise it.
create function weir.require_sign_in() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if weir.actor_id() is null then
    raise exception using errcode = 'WR002', message = 'sign in first';
  end if;
end;
$$;

revoke all on function weir.refuse_violation, weir.may, weir.authorize, weir.lock_for, weir.require_sign_in from public;
grant execute on function weir.refuse_violation, weir.lock_for to weir_writer;
grant execute on function weir.may, weir.authorize, weir.require_sign_in to weir_writer, weir_system;
