-- Grants: which agent may use what of which server, when and how often.

-- One agent, one instance, what is permitted, and when. A grant is never changed: a new one revokes the active one before it, and revoking
-- is final (weir.guard_grant). So the rows are the history of what was permitted to an agent, and by whom.
create table public.agent_mcp_permissions (
  id uuid not null default weir.uuid_v7(),
  -- On the row and in both foreign keys, so that no grant crosses organizations, whatever writes it.
  organization_id uuid not null,
  agent_id uuid not null,
  mcp_server_instance_id uuid not null,
  -- weir.permissions_error checks the grammar. Not null: {} permits no item.
  permissions jsonb not null,
  -- Null not_before: immediately. Null expires_at: until it is revoked.
  not_before timestamptz,
  expires_at timestamptz,
  -- Null after that user was deleted; granted_by_id is a copy without a foreign key and still has the id.
  granted_by uuid,
  granted_by_id uuid not null,
  granted_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz,
  revoked_by uuid,
  -- For readers. It ignores not_before and expires_at, so no decision depends on it.
  is_active boolean not null generated always as (revoked_at is null) stored,
  updated_at timestamptz not null default clock_timestamp(),
  constraint agent_mcp_permissions_pkey primary key (id),
  constraint agent_mcp_permissions_follow_the_grammar check (weir.permissions_error(permissions) is null),
  constraint agent_mcp_permissions_start_before_they_end check (not_before < expires_at),
  constraint agent_mcp_permissions_revoked_by_someone_at_a_time check (revoked_by is null or revoked_at is not null),
  -- Deleted with the agent or the instance; what was done under the grant stays in the audit log, which copies its id.
  constraint agent_mcp_permissions_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade,
  constraint agent_mcp_permissions_instance_of_the_organization
    foreign key (organization_id, mcp_server_instance_id)
    references public.mcp_server_instances (organization_id, id) on delete cascade,
  constraint agent_mcp_permissions_granted_by foreign key (granted_by) references auth.users (id) on delete set null (granted_by),
  constraint agent_mcp_permissions_revoked_by foreign key (revoked_by) references auth.users (id) on delete set null (revoked_by)
);
alter table public.agent_mcp_permissions enable row level security, force row level security;
revoke all on public.agent_mcp_permissions from public, anon, authenticated, service_role;
comment on table public.agent_mcp_permissions is 'tenant: what an agent may use of an instance; history is kept';
-- One active grant of an agent for an instance; admission finds it by this index.
create unique index agent_mcp_permissions_active_key on public.agent_mcp_permissions (agent_id, mcp_server_instance_id)
  where revoked_at is null;
create index agent_mcp_permissions_agent_idx on public.agent_mcp_permissions (organization_id, agent_id);
create index agent_mcp_permissions_instance_idx on public.agent_mcp_permissions (organization_id, mcp_server_instance_id);
create index agent_mcp_permissions_granted_by_idx on public.agent_mcp_permissions (granted_by);
create index agent_mcp_permissions_revoked_by_idx on public.agent_mcp_permissions (revoked_by);

-- Admins grant, in their own name. The agent's owner sees its grants and may give them up, but never grants: otherwise every member could
-- give their own agent every permission.
create policy grants_are_seen_by_admins_and_the_agent_s_owner on public.agent_mcp_permissions for select
  to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (organization_id = any(array(select weir.my_organizations('admin'))) or agent_id = any(array(select weir.my_agents()))));
create policy grants_are_made_by_admins on public.agent_mcp_permissions for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              and granted_by = (select weir.actor_id()) and granted_by_id = (select weir.actor_id()));
-- An update can only revoke, in the caller's name.
create policy grants_are_revoked_by_admins_and_the_agent_s_owner on public.agent_mcp_permissions for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))) or agent_id = any(array(select weir.my_agents())))
  with check (revoked_at is not null and revoked_by = (select weir.actor_id()));
-- Admission and the list of agent tools read grants of all organizations; weir_system has no privilege to change one.
create policy grants_are_read_by_the_engine on public.agent_mcp_permissions for all to weir_system using (true) with check (true);
grant select on public.agent_mcp_permissions to authenticated;
grant select,
      insert (id, organization_id, agent_id, mcp_server_instance_id, permissions, not_before, expires_at, granted_by, granted_by_id),
      update (revoked_at, revoked_by, updated_at) on public.agent_mcp_permissions to weir_writer;
grant select (id, organization_id, agent_id, mcp_server_instance_id, permissions, not_before, expires_at, revoked_at)
  on public.agent_mcp_permissions to weir_system;

-- What a limited grant has used of its current minute, hour and day: one row for each period, reused when a new window begins
-- (window_start). Admission locks these rows in the order of their key (weir.over_limit).
-- No foreign key: checking one would wait for a transaction that deletes the grant, and that one holds the organization's lock and waits
-- for the running admissions.
create table weir.grant_usage (
  organization_id uuid not null,
  grant_id uuid not null,
  period text not null,
  window_start timestamptz not null,
  used bigint not null,
  -- Begins with the grant, because admission sums the calls of a batch for each grant.
  constraint grant_usage_pkey primary key (grant_id, period),
  constraint grant_usage_period_is_known check (period in ('per_minute', 'per_hour', 'per_day')),
  constraint grant_usage_is_not_negative check (used >= 0)
);
alter table weir.grant_usage enable row level security, force row level security;
revoke all on weir.grant_usage from public, anon, authenticated, service_role;
comment on table weir.grant_usage is
  'tenant: counters of limited grants (no foreign key: checking it would wait for a transaction that deletes the grant)';
create index grant_usage_organization_idx on weir.grant_usage (organization_id);

-- No person sees or sets a counter. explain_mcp_access says whether a limit is reached.
create policy usage_is_counted_by_the_engine on weir.grant_usage for all to weir_system using (true) with check (true);
grant select, insert, update (window_start, used), delete on weir.grant_usage to weir_system;

set local role weir_system;

-- Counters are created with their grant, so that admission only updates: a call of a limited grant without its counters is over the limit
-- (weir.over_limit). A security definer, because an admin who grants may not see the counters.
create function weir.make_counters() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into weir.grant_usage (organization_id, grant_id, period, window_start, used)
  -- In the distant past, so that the first call begins a window.
  select new.organization_id, new.id, l.period, '-infinity', 0
  from jsonb_object_keys(new.permissions -> 'limits') l(period);
  return null;
end;
$$;

reset role;

-- A grant can only be revoked. granted_by may become null, when that user is deleted.
create function weir.guard_grant() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'WR005', message = 'a revoked grant cannot be reactivated: make a new one';
  elsif (old.organization_id, old.agent_id, old.mcp_server_instance_id, old.permissions, old.not_before, old.expires_at,
         old.granted_by_id, old.granted_at)
     is distinct from (new.organization_id, new.agent_id, new.mcp_server_instance_id, new.permissions, new.not_before, new.expires_at,
         new.granted_by_id, new.granted_at)
     -- Null: that user was deleted.
     or (new.granted_by is not null and new.granted_by is distinct from old.granted_by) then
    raise exception using errcode = 'WR005', message = 'a grant cannot be changed, only revoked: make a new one';
  end if;
  new.updated_at := clock_timestamp();
  return new;
end;
$$;

revoke all on function weir.guard_grant from public;

create trigger a_guard_grant before update on public.agent_mcp_permissions for each row execute function weir.guard_grant();
create trigger b_grant_change before insert or update or delete on public.agent_mcp_permissions
  for each row execute function weir.on_permission_change();
-- After the insert, so b_grant_change has taken the organization's lock.
create trigger c_limited_grant after insert on public.agent_mcp_permissions
  for each row when (new.permissions -> 'limits' <> '{}') execute function weir.make_counters();
create trigger not_truncated before truncate on public.agent_mcp_permissions for each statement execute function weir.refuse_truncate();
create trigger not_truncated before truncate on weir.grant_usage for each statement execute function weir.refuse_truncate();

-- Warnings about permissions that are granted: tools in them that the server does not announce. The server may announce them later, so this
-- is no error. It reads an organization's own server, for a caller who sees its tools. At most ten sentences; only the first 100 names are
-- checked, because a pattern is compared with every tool.
create function weir.grant_warnings(p_instance_id uuid, p_permissions jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_warnings jsonb := '[]'::jsonb;
begin
  if coalesce(p_permissions -> 'tools', '{}') in ('{}', '{"*": {}}') then
    return v_warnings;
  elsif not exists (select from public.mcp_server_tools t where t.instance_id = p_instance_id and t.kind = 'tool' and t.announced) then
    return jsonb_build_array('the server has announced no tools yet, so the names of the granted tools were not checked');
  end if;
  for v_name in select t.key from jsonb_object_keys(p_permissions -> 'tools') t(key) order by 1 limit 100 loop
    continue when exists (
      select from public.mcp_server_tools t
      where t.instance_id = p_instance_id and t.kind = 'tool' and t.announced
        and case when strpos(v_name, '*') > 0 then weir.matches_glob(t.name, v_name) else t.name = v_name end);
    if jsonb_array_length(v_warnings) = 10 then
      return v_warnings - 9 || '"and more: the server does not announce some of the other tools"'::jsonb;
    end if;
    v_warnings := v_warnings || to_jsonb(format(
      case when strpos(v_name, '*') > 0 then 'the server announces no tool that matches %s'
           else 'the server does not announce the tool %s' end, left(v_name, 100)));
  end loop;
  return v_warnings;
end;
$$;

revoke all on function weir.grant_warnings from public;
grant execute on function weir.grant_warnings to weir_writer;

set local role weir_writer;

-- For owners and admins (policy grants_are_made_by_admins). Agent and server must be of one organization that the caller belongs to, and
-- the server must not be deleted; else WR004, even for an admin. The new grant replaces the active one, which is revoked and stays as
-- history, in one transaction under the organization's lock: no call is decided between the two. p_permissions is what weir.permissions_of
-- accepts. A tool that the server does not announce is granted, with a warning. Null p_expires_at: it does not expire; null p_not_before:
-- it is valid immediately. A repeated call makes another grant; each has its row in the audit log, with the grant's id.
create function weir.grant_mcp_access(
  p_agent_id uuid, p_instance_id uuid, p_permissions jsonb, p_expires_at timestamptz, p_not_before timestamptz) returns jsonb
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
  v_act := weir.act('grant', 'grant_mcp_access', 'admin', 'only an owner or admin grants access',
                    p_agent_id => p_agent_id, p_instance_id => p_instance_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id and a.deleted_at is null;
  -- The server is looked up in the agent's organization: one of another organization does not exist, even for an admin of both.
  v_refusal := weir.authorize(v_act, 'there is no such agent or server', exists (
    select from public.mcp_server_instances i
    where i.id = p_instance_id and i.organization_id = v_act.organization_id and i.status not in ('deleting', 'deleted')));
  if v_refusal is null then
    v_permissions := weir.permissions_of(p_permissions);
    v_refusal := weir.lock_for(v_act, coalesce('permissions ' || weir.permissions_error(v_permissions), case
      when p_not_before >= p_expires_at then 'not_before must be before expires_at'
      when p_expires_at <= clock_timestamp() then 'expires_at must be in the future' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  -- Checked again under the lock.
  elsif not exists (select from public.mcp_server_instances i where i.id = p_instance_id and i.status not in ('deleting', 'deleted')) then
    return weir.refuse(v_act, 'WR004', 'there is no such agent or server');
  end if;
  update public.agent_mcp_permissions g set revoked_at = clock_timestamp(), revoked_by = v_actor
  where g.agent_id = p_agent_id and g.mcp_server_instance_id = p_instance_id and g.revoked_at is null;
  insert into public.agent_mcp_permissions
    (id, organization_id, agent_id, mcp_server_instance_id, permissions, not_before, expires_at, granted_by, granted_by_id)
  values (v_id, v_act.organization_id, p_agent_id, p_instance_id, v_permissions, p_not_before, p_expires_at, v_actor, v_actor);
  perform weir.record_act(v_act, p_grant_id => v_id);
  return jsonb_build_object('id', v_id, 'agent_id', p_agent_id, 'mcp_server_instance_id', p_instance_id,
                            'warnings', weir.grant_warnings(p_instance_id, v_permissions));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.grant_mcp_access to authenticated;

-- For owners and admins, and for the agent's owner, who gives the grant up (policy grants_are_revoked_by_admins_and_the_agent_s_owner).
-- Effective with the next call: the organization's lock waits for the admissions that run. Without an active grant the answer is `revoked:
-- false`, and there is no row in the audit log.
create function weir.revoke_mcp_access(p_agent_id uuid, p_instance_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_grant_id uuid;
  v_refusal jsonb;
begin
  v_act := weir.act('grant', 'revoke_mcp_access', 'manage_agent', 'only an owner or admin, or the agent''s owner, revokes access',
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
grant execute on function weir.revoke_mcp_access to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.grant_mcp_access(
  agent_id uuid, mcp_server_instance_id uuid, permissions jsonb default null, expires_at timestamptz default null,
  not_before timestamptz default null)
returns jsonb
language sql volatile begin atomic select weir.grant_mcp_access($1, $2, $3, $4, $5); end;
create function public.revoke_mcp_access(agent_id uuid, mcp_server_instance_id uuid) returns jsonb
language sql volatile begin atomic select weir.revoke_mcp_access($1, $2); end;

revoke all on function public.grant_mcp_access, public.revoke_mcp_access from public, anon, authenticated, service_role;
grant execute on function public.grant_mcp_access, public.revoke_mcp_access to authenticated;
