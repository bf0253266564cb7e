-- How a published function checks the caller's permission, and how it refuses.
--
-- A published function is a wrapper in `public` around a definer of weir_writer, because API roles may only select. Row-level security
-- still decides inside: the policies of weir_writer test the caller's claims as those of `authenticated` do. A function that writes has
-- these steps, of which 2 and 3 return null or the refusal that it must return:
--   1. weir.act         names the act and the permission that it needs; the function looks up the organization under the caller's policies
--   2. weir.authorize   refuses a caller who is not signed in, does not see the object, or lacks the permission
--   3. weir.lock_for    refuses a wrong argument, takes the organization's lock, and checks the permission again; only in functions
--                       whose change must not run concurrently with a call or another change
--   4. weir.refuse      for refusals while the work is done; weir.refuse_violation turns an error that was caught into a refusal
--   5. weir.record_act  writes the row of the audit log
-- A caller who may not see an object gets WR004, as for one that does not exist, so that nobody learns what other organizations have. A
-- refusal is returned, not raised, because an exception would roll back its row in the audit log. The comment of a published function
-- begins with who may call it.

-- What a published function does, which permission it needs, and what it acts on. Its refusals and its success are recorded with these
-- values.
--   kind, item        how the audit log names it: a weir.log_kind, and usually the function's name
--   permission        one of those that weir.may knows; null where weir.authorize is not called
--   denial            the message for a caller without the permission
--   organization_id   whose audit log it belongs to; null until the function has found it, and until then a refusal is only counted
--   agent_id, instance_id   what it acts on, filled in as the function finds it
--   workspace_id      for the permission add_to_workspace; not recorded
create type weir.act as (
  kind text, item text, permission text, denial text, organization_id uuid, agent_id uuid, instance_id uuid, workspace_id uuid
);
revoke all on type weir.act from public;
grant usage on type weir.act to weir_writer, weir_system;

-- Creates an act with named arguments, because most acts use few of them.
create function weir.act(
  p_kind text, p_item text, p_permission text default null, p_denial text default null, p_organization_id uuid default null,
  p_agent_id uuid default null, p_instance_id uuid default null, p_workspace_id uuid default null) returns weir.act
language sql immutable parallel safe
  return row(p_kind, p_item, p_permission, p_denial, p_organization_id, p_agent_id, p_instance_id, p_workspace_id)::weir.act;

-- Whether the caller has a permission on what the act is about. The set of permissions is closed, so a misspelled one is an error. Each has
-- its own `if`, because PostgreSQL checks the privileges of all functions in an expression, even of those that it does not call, and
-- weir_system may not execute all of these.
create function weir.may(p_act weir.act, p_permission text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_permission = 'signed_in' then
    return weir.actor_id() is not null;
  elsif p_permission = 'platform_admin' then
    return weir.is_platform_admin();
  elsif p_act.organization_id is null then
    return false;
  elsif p_permission = 'see' then
    -- The function found the object, and with it the organization, under the caller's policies.
    return true;
  elsif p_permission in ('viewer', 'member', 'admin', 'owner') then
    -- This role or a higher one.
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
  raise exception 'weir.may knows no permission %', p_permission;
end;
$$;

-- Returns null if the caller may do the act, else the refusal to return. Every published function that writes calls this before it looks at
-- arguments that may be large. The order of the checks tells a caller nothing about what they do not see:
--   WR002  the caller is not signed in
--   WR004  the caller does not see the organization, or p_found is false because they do not see an object; p_missing is the message
--   WR003  the caller does not have the act's permission; its denial is the message. For an act of the platform this comes before
--          WR004, because its object may belong to any organization
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
  if p_act.permission = 'platform_admin' and not v_may then
    return weir.refuse(p_act, 'WR003', p_act.denial);
  end if;
  -- Every permission on an organization implies that the caller sees the organization. The existence of the platform is not secret.
  if p_found is not true or not (v_may or p_act.permission is not distinct from 'platform_admin' or weir.may(p_act, 'viewer')) then
    return weir.refuse(p_act, 'WR004', p_missing);
  elsif not v_may then
    return weir.refuse(p_act, 'WR003', p_act.denial);
  end if;
  return null;
end;
$$;

-- Takes the organization's lock for an act that weir.authorize has permitted. Returns null, or the refusal to return. The lock blocks
-- calls, so a caller without the permission, or with a wrong argument (p_error, WR001), does not take it. While the caller waits for the
-- lock, they may lose the permission, and the act's agent or workspace may be deleted, so both are checked again under the lock. For the
-- permission `see` that check proves nothing: a function that uses it looks its object up again, as does one that acts on a server.
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
  elsif p_act.agent_id is not null and not exists (
      select from public.agents a
      where a.organization_id = p_act.organization_id and a.id = p_act.agent_id and a.deleted_at is null) then
    return weir.refuse(p_act, 'WR004', 'there is no such agent');
  elsif p_act.workspace_id is not null and not exists (
      select from public.workspaces w
      where w.organization_id = p_act.organization_id and w.id = p_act.workspace_id and w.deleted_at is null) then
    return weir.refuse(p_act, 'WR004', 'there is no such workspace');
  end if;
  return null;
end;
$$;

-- Records that an act was done, with the same kind, item and ids as its refusals.
create function weir.record_act(p_act weir.act, p_detail text default null, p_grant_id uuid default null) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.record_event(p_act.kind, p_act.organization_id, p_agent_id => p_act.agent_id, p_instance_id => p_act.instance_id,
                            p_item => p_act.item, p_detail => p_detail, p_grant_id => p_grant_id);
end;
$$;

set local role weir_system;

-- Records a denial and returns it as an error. A member's denial becomes a row in the audit log of the organization that they named, even
-- while the member is suspended. A platform admin's denial becomes a row of the platform's audit log. All other denials are only counted,
-- so that an outsider cannot fill another organization's audit log. Definer: no person may write the audit log. The actor is the subject of
-- the verified token and never a parameter.
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
               and m.status in ('active', 'suspended'))
     or p_act.organization_id = weir.platform_id() and weir.is_platform_admin() then
    perform weir.record_event(p_act.kind, p_act.organization_id, v_reason, p_act.agent_id, p_act.instance_id, p_act.item, p_message);
  else
    perform weir.record_security_events(array[v_reason], array[''], array[null::inet], array[1]);
  end if;
  return weir.error(p_code, p_message, p_hint);
end;
$$;
grant execute on function weir.refuse to weir_writer;

reset role;

-- What a unique constraint protects: the kind of thing that already exists, and the argument whose value is taken, or null if no single
-- value names it. A test compares this list with the constraints that a published function can violate.
create function weir.conflict(p_constraint text) returns text[]
language sql immutable parallel safe
  return case p_constraint
    when 'organizations_slug_key' then '{an organization,slug}'
    when 'organization_members_pkey' then '{a membership of this person,null}'
    when 'organization_invitations_open_key' then '{an open invitation,e-mail address}'
    when 'organization_invitations_token_hash_key' then '{an invitation with this token,null}'
    when 'organization_api_keys_key_id_key' then '{a key,key_id}'
    when 'user_ssh_keys_name_key' then '{an SSH key,name}'
    when 'user_ssh_keys_fingerprint_key' then '{an SSH key of yours with this public key,null}'
    when 'mcp_server_instances_name_key' then '{a server,instance_name}'
    when 'idempotency_keys_pkey' then '{a request,idempotency key}'
    when 'dtma_operations_generation_key' then '{an operation for this change of the server,null}'
    when 'dtma_operations_restart_key' then '{a restart of the server that has not ended,null}'
    when 'agents_name_key' then '{an agent,name}'
    when 'agent_api_keys_key_id_key' then '{a key,key_id}'
    when 'agent_mcp_permissions_active_key' then '{an active grant of the agent for this server,null}'
    when 'permission_requests_open_key' then '{an open request of the agent for this server,null}'
    when 'workspaces_name_key' then '{a workspace,name}'
    when 'workspace_members_user_key' then '{this person in the workspace,null}'
    when 'workspace_members_agent_key' then '{this agent in the workspace,null}'
    when 'chat_channels_name_key' then '{a channel,name}'
    when 'chat_channels_workspace_id_user_id_agent_id_key' then '{a conversation of yours with the agent in this workspace,null}'
    when 'chat_messages_client_message_id_key' then '{a message,client_message_id}'
    when 'chat_messages_answer_key' then '{an answer of the agent to this message,null}'
    when 'model_settings_are_set_once' then '{settings of this organization or agent,null}'
    when 'datastores_name_key' then '{a datastore,name}'
    when 'agent_datastores_pkey' then '{a link of the datastore to this agent,null}'
    when 'documents_content_is_there_once' then '{a document with this content in the datastore,null}'
    when 'document_chunks_ordinal_key' then '{a passage at this place of the document,null}' end::text[];

-- Returns null if the caller signed in recently, else the refusal to return. Called after weir.authorize, so that a caller without the
-- permission gets that error first.
create function weir.refuse_old_sign_in(p_act weir.act) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if weir.signed_in_recently() then
    return null;
  end if;
  return weir.refuse(p_act, 'WR003', 'this needs a sign-in younger than 15 minutes', 'Sign in again, then repeat the request.');
end;
$$;

-- Turns an error that a writing function has caught into a refusal. The names of constraints state their rule, so they can be shown to the
-- caller. Every other error that these functions catch is a refusal by row-level security, hence WR003. p_name is the value that may be
-- taken already, for the message; the caller sent it, so it reveals nothing new.
create function weir.refuse_violation(p_act weir.act, p_sqlstate text, p_constraint text, p_name text default null) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_conflict constant text[] := coalesce(weir.conflict(p_constraint), '{one like this,null}');
  v_member constant text := v_conflict[2];
begin
  return case p_sqlstate
    when '23505' then weir.refuse(
      p_act, 'WR005',
      'there is already ' || v_conflict[1] || case when v_member is null then '' when p_name is null then ' with this ' || v_member
                                                   else format(' with the %s %s', v_member, left(p_name, 100)) end,
      'Choose another ' || v_member || '.')
    when '23503' then weir.refuse(p_act, 'WR004', 'what this refers to does not exist')
    when '23514' then weir.refuse(p_act, 'WR001', replace(p_constraint, '_', ' '))
    when '23502' then weir.refuse(p_act, 'WR001', 'a required value is missing')
    else weir.refuse(p_act, 'WR003', 'this is not allowed')
  end;
end;
$$;

-- For published functions that only read. They are stable and cannot record a refusal, so they raise it.
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

revoke all on function weir.act, weir.may, weir.authorize, weir.lock_for, weir.record_act, weir.conflict, weir.refuse_violation,
  weir.require_sign_in, weir.refuse_old_sign_in from public;
grant execute on function weir.act, weir.may, weir.authorize, weir.record_act, weir.require_sign_in, weir.refuse_old_sign_in
  to weir_writer, weir_system;
grant execute on function weir.lock_for, weir.conflict, weir.refuse_violation to weir_writer;
