-- Requests for access. An agent's owner requests and an admin decides. The result is a grant like any other, and may permit less than was
-- requested.

-- A request that was decided does not change (weir.guard_request).
create table public.permission_requests (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  agent_id uuid not null,
  mcp_server_instance_id uuid not null,
  permissions jsonb not null,
  message text,
  -- `withdrawn` is the decision of the person who made the request; all others are an admin's.
  status text not null default 'open',
  -- Null after that user was deleted. The same holds for decided_by.
  requested_by uuid,
  -- The grant that was made, as a copied id without a foreign key: the request does not keep the grant's row, which has a history of its
  -- own.
  grant_id uuid,
  created_at timestamptz not null default now(),
  decided_by uuid,
  decided_at timestamptz,
  constraint permission_requests_pkey primary key (id),
  -- The same grammar as a grant's, so that a request can be granted unchanged.
  constraint permission_requests_follow_the_grammar check (weir.permissions_error(permissions) is null),
  constraint permission_requests_status_is_known check (status in ('open', 'granted', 'refused', 'withdrawn')),
  constraint permission_requests_decided_at_a_time check ((status = 'open') = (decided_at is null)),
  constraint permission_requests_message_is_short check (length(message) <= 1000),
  constraint permission_requests_granted_by_a_grant check ((status = 'granted') = (grant_id is not null)),
  constraint permission_requests_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade,
  constraint permission_requests_instance_of_the_organization
    foreign key (organization_id, mcp_server_instance_id)
    references public.mcp_server_instances (organization_id, id) on delete cascade,
  constraint permission_requests_requested_by foreign key (requested_by) references auth.users (id) on delete set null,
  constraint permission_requests_decided_by foreign key (decided_by) references auth.users (id) on delete set null
);
alter table public.permission_requests enable row level security, force row level security;
revoke all on public.permission_requests from public, anon, authenticated, service_role;
comment on table public.permission_requests is 'tenant: access that an agent''s owner requested';
-- One open request of an agent for an instance, so that admins do not get the same request twice.
create unique index permission_requests_open_key on public.permission_requests (agent_id, mcp_server_instance_id)
  where status = 'open';
create index permission_requests_agent_idx on public.permission_requests (organization_id, agent_id);
create index permission_requests_instance_idx on public.permission_requests (organization_id, mcp_server_instance_id);
create index permission_requests_requested_by_idx on public.permission_requests (requested_by);
create index permission_requests_decided_by_idx on public.permission_requests (decided_by);

-- A person sees their own requests for as long as they are a member.
create policy requests_are_seen_by_admins_and_who_asked on public.permission_requests for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin')))
         or (requested_by = (select weir.actor_id()) and organization_id = any(array(select weir.my_organizations()))));
-- For the caller's own agents, in the caller's name. my_agents requires an active member who is not a viewer.
create policy requests_are_made_by_the_agent_s_owner on public.permission_requests for insert to weir_writer
  with check (agent_id = any(array(select weir.my_agents())) and requested_by = (select weir.actor_id()) and status = 'open');
-- An open request is granted or refused by an admin, and withdrawn by the person who made it; an admin who did not make it cannot withdraw
-- it.
create policy requests_are_decided_by_admins_and_withdrawn_by_who_asked on public.permission_requests for update to weir_writer
  using (status = 'open' and (organization_id = any(array(select weir.my_organizations('admin')))
                              or requested_by = (select weir.actor_id())))
  with check (decided_by = (select weir.actor_id())
              and ((status in ('granted', 'refused') and organization_id = any(array(select weir.my_organizations('admin'))))
                   or (status = 'withdrawn' and requested_by = (select weir.actor_id()))));
grant select on public.permission_requests to authenticated;
grant select,
      insert (id, organization_id, agent_id, mcp_server_instance_id, permissions, message, requested_by),
      update (status, decided_by, decided_at, grant_id) on public.permission_requests to weir_writer;

-- A decision is final and a request is not rewritten, whether a function or direct SQL writes. Otherwise an approval could apply to a
-- changed request.
create function weir.guard_request() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if (old.status <> 'open' and new.status <> old.status)
     or (old.organization_id, old.agent_id, old.mcp_server_instance_id, old.permissions, old.message, old.created_at)
        is distinct from (new.organization_id, new.agent_id, new.mcp_server_instance_id, new.permissions, new.message, new.created_at)
     -- Null: that user was deleted.
     or (new.requested_by is not null and new.requested_by is distinct from old.requested_by) then
    raise exception using errcode = 'WR005', message = 'a request cannot be changed, and is decided once: make a new one';
  end if;
  return new;
end;
$$;

revoke all on function weir.guard_request from public;

create trigger a_guard_request before update on public.permission_requests for each row execute function weir.guard_request();

set local role weir_writer;

-- For the agent's owner (policy requests_are_made_by_the_agent_s_owner); other members get WR003. Agent and server must be of one
-- organization that the caller belongs to; else WR004. A request permits nothing. There is one open request for an agent and a server
-- (WR005), and a person has at most 100 open ones in an organization (WR006); the organization's lock makes both exact.
create function weir.request_mcp_access(p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_message text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_permissions jsonb;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('grant', 'request_mcp_access', 'own_agent', 'only the agent''s owner requests access',
                    p_agent_id => p_agent_id, p_instance_id => p_instance_id);
  select a.organization_id into v_act.organization_id
  from public.agents a
  join public.mcp_server_instances i on i.organization_id = a.organization_id and i.id = p_instance_id
   and i.status not in ('deleting', 'deleted')
  where a.id = p_agent_id and a.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such agent or server');
  if v_refusal is null then
    v_permissions := weir.permissions_of(p_permissions);
    v_refusal := weir.lock_for(v_act, coalesce('permissions ' || weir.permissions_error(v_permissions),
      case when length(p_message) > 1000 then 'message must be at most 1000 characters' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  -- Checked again under the lock.
  elsif not exists (select from public.mcp_server_instances i where i.id = p_instance_id and i.status not in ('deleting', 'deleted')) then
    return weir.refuse(v_act, 'WR004', 'there is no such agent or server');
  elsif exists (select from public.permission_requests r
                where r.agent_id = p_agent_id and r.mcp_server_instance_id = p_instance_id and r.status = 'open') then
    return weir.refuse(v_act, 'WR005', 'there is an open request of the agent for this server: withdraw it first');
  elsif (select count(*) from public.permission_requests r
         where r.organization_id = v_act.organization_id and r.requested_by = v_actor and r.status = 'open') >= 100 then
    return weir.refuse(v_act, 'WR006', 'a person may have 100 open requests: withdraw one first');
  end if;
  insert into public.permission_requests (id, organization_id, agent_id, mcp_server_instance_id, permissions, message, requested_by)
  values (v_id, v_act.organization_id, p_agent_id, p_instance_id, v_permissions, p_message, v_actor);
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'status', 'open');
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.request_mcp_access to authenticated;

-- Ends a request. An admin grants or refuses it, and the person who made it withdraws it. Nobody else sees it, and they get WR004 (policy
-- requests_are_seen_by_admins_and_who_asked). Granting makes the grant in the same transaction, under the organization's lock, so of two
-- admins who decide at once the second gets WR005. If weir.grant_mcp_access refuses, its refusal is the answer and the request stays open.
-- Everybody who sees the request may take the lock; the request is read under it and decides which of them may end it. Null p_permissions:
-- as requested; an empty list grants nothing. The audit log's row names the request and the grant.
create function weir.close_request(
  p_request_id uuid, p_status text, p_expires_at timestamptz, p_not_before timestamptz, p_permissions jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_request public.permission_requests;
  v_grant jsonb;
  v_refusal jsonb;
begin
  v_act := weir.act('grant', case p_status when 'withdrawn' then 'withdraw_permission_request' else 'decide_permission_request' end, 'see');
  select r.organization_id into v_act.organization_id from public.permission_requests r where r.id = p_request_id;
  v_refusal := weir.authorize(v_act, 'there is no such request');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Read again under the lock: the caller may have lost sight of it.
  select r.* into v_request from public.permission_requests r where r.id = p_request_id;
  v_act.organization_id := v_request.organization_id;
  v_act.agent_id := v_request.agent_id;
  v_act.instance_id := v_request.mcp_server_instance_id;
  if v_request.id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such request');
  elsif p_status is null or p_status not in ('granted', 'refused', 'withdrawn') then
    return weir.refuse(v_act, 'WR001', 'grant must be true or false');
  elsif (case p_status when 'withdrawn' then v_request.requested_by is distinct from v_actor else not weir.may(v_act, 'admin') end) then
    return weir.refuse(v_act, 'WR003', 'a request is decided by an owner or admin, and withdrawn by the person who made it');
  elsif v_request.status <> 'open' then
    return weir.refuse(v_act, 'WR005', format('the request is already %s', v_request.status));
  end if;
  if p_status = 'granted' then
    v_grant := weir.grant_mcp_access(v_request.agent_id, v_request.mcp_server_instance_id,
                                     coalesce(p_permissions, v_request.permissions), p_expires_at, p_not_before);
    if v_grant ? 'error' then
      return v_grant;
    end if;
  end if;
  update public.permission_requests r
  set status = p_status, decided_by = v_actor, decided_at = clock_timestamp(), grant_id = (v_grant ->> 'id')::uuid
  where r.id = p_request_id;
  perform weir.record_act(v_act, p_request_id || ' ' || p_status, (v_grant ->> 'id')::uuid);
  return jsonb_strip_nulls(jsonb_build_object('id', p_request_id, 'status', p_status, 'grant_id', v_grant -> 'id',
                                              'warnings', v_grant -> 'warnings'));
end;
$$;
grant execute on function weir.close_request to authenticated;

reset role;

-- The published names; parameter names are API. A null `grant` is WR001, so that no request is refused by mistake.
create function public.request_mcp_access(
  agent_id uuid, mcp_server_instance_id uuid, permissions jsonb default null, message text default null)
returns jsonb
language sql volatile begin atomic select weir.request_mcp_access($1, $2, $3, $4); end;
create function public.decide_permission_request(request_id uuid, "grant" boolean, expires_at timestamptz default null,
                                                 not_before timestamptz default null, permissions jsonb default null) returns jsonb
language sql volatile begin atomic
  select weir.close_request($1, case when $2 then 'granted' when not $2 then 'refused' end, $3, $4, $5);
end;
create function public.withdraw_permission_request(request_id uuid) returns jsonb
language sql volatile begin atomic select weir.close_request($1, 'withdrawn', null, null, null); end;

revoke all on function public.request_mcp_access, public.decide_permission_request, public.withdraw_permission_request
  from public, anon, authenticated, service_role;
grant execute on function public.request_mcp_access, public.decide_permission_request, public.withdraw_permission_request to authenticated;
