-- Workspaces: where people and agents of an organization meet. A person who shares a workspace with an agent may use it.

-- A workspace is deleted with its organization. It stays when the person who created it leaves.
create table public.workspaces (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  -- Nobody sees a deleted workspace; its messages are deleted in small statements (weir.purge_deleted).
  deleted_at timestamptz,
  constraint workspaces_pkey primary key (id),
  -- The target of composite foreign keys, so that everything in a workspace belongs to its organization.
  constraint workspaces_organization_id_id_key unique (organization_id, id),
  constraint workspaces_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint workspaces_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint workspaces_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.workspaces enable row level security, force row level security;
revoke all on public.workspaces from public, anon, authenticated, service_role;
comment on table public.workspaces is 'tenant: where people and agents of one organization talk';
create unique index workspaces_name_key on public.workspaces (organization_id, lower(name), coalesce(deleted_at, '-infinity'));
create index workspaces_deleted_idx on public.workspaces (deleted_at) where deleted_at is not null;
create index workspaces_created_by_idx on public.workspaces (created_by);

-- One table for people and agents, because both are members in the same sense. The foreign keys are composite, so neither can come from
-- another organization; a row is deleted with the membership or the agent that it names.
create table public.workspace_members (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  workspace_id uuid not null,
  user_id uuid,
  agent_id uuid,
  created_at timestamptz not null default now(),
  constraint workspace_members_pkey primary key (id),
  -- Exactly one of the two columns is set. For the same reason there is no natural primary key.
  constraint workspace_members_person_or_agent check (num_nonnulls(user_id, agent_id) = 1),
  constraint workspace_members_workspace_of_the_organization
    foreign key (organization_id, workspace_id) references public.workspaces (organization_id, id) on delete cascade,
  constraint workspace_members_user_of_the_organization
    foreign key (organization_id, user_id) references public.organization_members (organization_id, user_id) on delete cascade,
  constraint workspace_members_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade
);
alter table public.workspace_members enable row level security, force row level security;
revoke all on public.workspace_members from public, anon, authenticated, service_role;
comment on table public.workspace_members is 'tenant: a person or an agent in a workspace; sharing one lets the person use the agent';
-- Each person and each agent is in a workspace once. Each index is partial because the other kind of member has null there.
create unique index workspace_members_user_key on public.workspace_members (workspace_id, user_id) where user_id is not null;
create unique index workspace_members_agent_key on public.workspace_members (workspace_id, agent_id) where agent_id is not null;
-- The first three serve the foreign keys. The last two serve look-ups by the person or the agent alone (my_workspaces, may_use_agent).
create index workspace_members_workspace_idx on public.workspace_members (organization_id, workspace_id);
create index workspace_members_user_idx on public.workspace_members (organization_id, user_id);
create index workspace_members_agent_idx on public.workspace_members (organization_id, agent_id);
create index workspace_members_user_id_idx on public.workspace_members (user_id);
create index workspace_members_agent_id_idx on public.workspace_members (agent_id);

set local role weir_system;

-- The workspaces that the caller belongs to, in organizations where the caller is active. A security definer, because a
-- policy on workspace_members that reads workspace_members would recurse.
create function weir.my_workspaces() returns setof uuid
language plpgsql stable security definer rows 5
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select w.workspace_id
    from public.workspace_members w
    where w.user_id = weir.actor_id()
      and w.organization_id = any(array(select weir.my_organizations()));
end;
$$;
grant execute on function weir.my_workspaces to authenticated, weir_writer;

-- Whether the caller owns every agent of a workspace; true if it has none. A person in a workspace may use all its agents, so a member may
-- add others only if no agent belongs to somebody else. An admin may always add.
-- A security definer, because the creator of a workspace who does not belong to it does not see its members, and would find no agent there.
create function weir.may_manage_agents_of(p_workspace_id uuid) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return not exists (select from public.workspace_members m
                     where m.workspace_id = p_workspace_id and m.agent_id is not null
                       and m.agent_id <> all(array(select weir.my_agents())));
end;
$$;
grant execute on function weir.may_manage_agents_of to weir_writer;

reset role;

-- The organization comes first, because it becomes the index condition; alternatives after it do not. The creator sees the workspace before
-- they are its member.
create policy workspaces_are_seen_by_their_members_and_admins on public.workspaces for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())) and deleted_at is null
         and (id = any(array(select weir.my_workspaces()))
              or organization_id = any(array(select weir.my_organizations('admin')))
              or created_by = (select weir.actor_id())));
create policy workspaces_are_created_by_members on public.workspaces for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('member')))
              and created_by = (select weir.actor_id()));
create policy workspaces_are_renamed_by_admins on public.workspaces for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))))
  with check (organization_id = any(array(select weir.my_organizations('admin'))));
create policy workspaces_are_read_by_the_engine on public.workspaces for all to weir_system using (true) with check (true);
grant select on public.workspaces to authenticated;
grant select, insert (id, organization_id, name, created_by), update (name) on public.workspaces to weir_writer;
grant select (id, organization_id, name, created_at, deleted_at), update (deleted_at), delete on public.workspaces to weir_system;

-- Seen by members of the workspace and admins; for others a workspace and its members do not exist.
create policy workspace_members_are_seen_inside on public.workspace_members for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (workspace_id = any(array(select weir.my_workspaces()))
              or organization_id = any(array(select weir.my_organizations('admin')))));
-- An admin adds anybody. A member adds their own agents, and people if they own each agent, and only in a workspace that they belong to;
-- the creator may join it first. weir.may_add_to_workspace checks most of this under the lock.
create policy workspace_members_are_added_inside on public.workspace_members for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              or (organization_id = any(array(select weir.my_organizations('member')))
                  and (agent_id = any(array(select weir.my_agents())) or agent_id is null and weir.may_manage_agents_of(workspace_id))
                  and (workspace_id = any(array(select weir.my_workspaces()))
                       or (user_id = (select weir.actor_id())
                           and workspace_id = any(array(select w.id from public.workspaces w
                                                        where w.created_by = (select weir.actor_id())))))));
-- For weir.my_workspaces and weir.may_manage_agents_of, and for admission, which checks whether a person shares a workspace with an agent.
create policy workspace_members_are_read_by_the_engine on public.workspace_members for all to weir_system
  using (true) with check (true);
-- A person who is removed from the organization, or leaves it, leaves its workspaces too (weir.change_member). An agent's owner may remove
-- it too (weir.remove_workspace_member, weir.delete_agent).
create policy workspace_members_leave_with_the_organization on public.workspace_members for delete to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))) or user_id = (select weir.actor_id())
         or agent_id = any(array(select weir.my_agents())));
grant select on public.workspace_members to authenticated;
grant select, insert (organization_id, workspace_id, user_id, agent_id), delete on public.workspace_members to weir_writer;
grant select (organization_id, workspace_id, user_id, agent_id), delete on public.workspace_members to weir_system;

create trigger b_workspace_member_change before insert or update or delete on public.workspace_members
  for each row execute function weir.on_permission_change();
create trigger not_truncated before truncate on public.workspace_members for each statement execute function weir.refuse_truncate();

-- Whether the caller may add a person or an agent to a workspace. A person who shares a workspace with an agent may use it, with all its
-- grants. So an agent is added by its owner, and a person by a member who may manage each agent in it. An admin may add both. The policy
-- workspace_members_are_added_inside has this rule too, and lets a member add only in a workspace that they belong to. It is checked here
-- first, so that the refusal says why.
create function weir.may_add_to_workspace(p_organization_id uuid, p_workspace_id uuid, p_agent_id uuid) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from weir.my_organizations('admin') o where o = p_organization_id)
      or case when p_agent_id is not null then exists (select from weir.my_agents() a where a = p_agent_id)
              else exists (select from weir.my_organizations('member') o where o = p_organization_id)
                   and weir.may_manage_agents_of(p_workspace_id) end;
end;
$$;

revoke all on function weir.may_add_to_workspace from public;
grant execute on function weir.may_add_to_workspace to weir_writer;

set local role weir_writer;

-- For members (policy workspaces_are_created_by_members); a viewer gets WR003. The creator belongs to the workspace from the start. The
-- organization's lock makes max_workspaces exact: without it two transactions could both use the last free slot.
create function weir.create_workspace(p_organization_id uuid, p_name text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_workspace', 'member', 'a viewer creates nothing', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, weir.name_error('name', p_name));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif weir.count_of('workspaces', p_organization_id)
        >= (select o.max_workspaces from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has reached its limit of workspaces (max_workspaces = '
                         || (select o.max_workspaces from public.organizations o where o.id = p_organization_id) || ')',
                       'Delete a workspace, or ask the operator to raise the limit.');
  end if;
  insert into public.workspaces (id, organization_id, name, created_by) values (v_id, p_organization_id, btrim(p_name), weir.actor_id());
  insert into public.workspace_members (organization_id, workspace_id, user_id) values (p_organization_id, v_id, weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_name);
end;
$$;
grant execute on function weir.create_workspace to authenticated;

-- Adds a person or an agent of the organization to a workspace that the caller sees (policy
-- workspaces_are_seen_by_their_members_and_admins); weir.may_add_to_workspace decides whether the caller may. Admission decides by this
-- table, so the insert needs the organization's lock, which blocks its calls. A repeated call takes no lock, changes nothing and leaves no
-- row in the audit log.
create function weir.add_workspace_member(p_workspace_id uuid, p_user_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_answer jsonb;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'add_workspace_member', 'add_to_workspace',
    case when p_agent_id is not null then 'only its owner or an admin adds an agent'
         else 'only an admin, or a member who owns each agent of the workspace, adds a person' end,
    p_workspace_id => p_workspace_id);
  v_answer := jsonb_build_object('workspace_id', p_workspace_id, 'user_id', p_user_id, 'agent_id', p_agent_id);
  -- The caller's policies show no workspace to a caller who is not signed in, so these answers do not come before WR002.
  select w.organization_id into v_act.organization_id from public.workspaces w where w.id = p_workspace_id;
  if v_act.organization_id is not null then
    if num_nonnulls(p_user_id, p_agent_id) <> 1 then
      return weir.refuse(v_act, 'WR001', 'give either user_id or agent_id');
    elsif (p_user_id is not null and not exists (
            select from public.organization_members m
            where m.organization_id = v_act.organization_id and m.user_id = p_user_id and m.status = 'active'))
       or (p_agent_id is not null and not exists (
            select from public.agents a
            where a.organization_id = v_act.organization_id and a.id = p_agent_id and a.deleted_at is null)) then
      return weir.refuse(v_act, 'WR004', 'there is no such person or agent in the organization');
    end if;
    v_act.agent_id := p_agent_id;
    -- The lock blocks calls, so a caller who adds an existing member must not take it. A caller who may not add an agent does not learn
    -- whether it is in the workspace.
    if exists (select from public.workspace_members m
               where m.workspace_id = p_workspace_id and (m.user_id = p_user_id or m.agent_id = p_agent_id))
       and (p_user_id is not null or weir.may(v_act, 'add_to_workspace')) then
      return v_answer;
    end if;
  end if;
  -- While this waits for the lock, another person's agent may join the workspace. Then a member may no longer add a person.
  v_refusal := weir.authorize(v_act, 'there is no such workspace');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif not exists (select from public.workspace_members m
                    where m.workspace_id = p_workspace_id and (m.user_id = p_user_id or m.agent_id = p_agent_id)) then
    insert into public.workspace_members (organization_id, workspace_id, user_id, agent_id)
    values (v_act.organization_id, p_workspace_id, p_user_id, p_agent_id);
    perform weir.record_act(v_act, coalesce(p_user_id, p_agent_id)::text);
  end if;
  return v_answer;
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.add_workspace_member to authenticated;

-- For admins, and for everybody who leaves; an agent's owner may remove it too. A repeated call leaves no row in the audit log.
create function weir.remove_workspace_member(p_workspace_id uuid, p_user_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'remove_workspace_member',
    case when p_agent_id is not null then 'manage_agent' when p_user_id = weir.actor_id() then 'see' else 'admin' end,
    case when p_agent_id is not null then 'only its owner or an admin removes an agent' else 'only an admin removes a person' end,
    p_agent_id => p_agent_id, p_workspace_id => p_workspace_id);
  select w.organization_id into v_act.organization_id from public.workspaces w where w.id = p_workspace_id;
  v_refusal := weir.authorize(v_act, 'there is no such workspace');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, case when num_nonnulls(p_user_id, p_agent_id) <> 1 then 'give either user_id or agent_id' end);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  delete from public.workspace_members m
  where m.workspace_id = p_workspace_id and m.organization_id = v_act.organization_id
    and (m.user_id = p_user_id or m.agent_id = p_agent_id);
  if found then
    perform weir.record_act(v_act, coalesce(p_user_id, p_agent_id)::text);
  end if;
  return jsonb_build_object('workspace_id', p_workspace_id, 'user_id', p_user_id, 'agent_id', p_agent_id);
end;
$$;
grant execute on function weir.remove_workspace_member to authenticated;

-- For admins. No call depends on a name, so no lock is taken.
create function weir.rename_workspace(p_workspace_id uuid, p_name text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'rename_workspace', 'admin', 'only an owner or admin renames a workspace');
  select w.organization_id into v_act.organization_id from public.workspaces w where w.id = p_workspace_id;
  v_refusal := weir.authorize(v_act, 'there is no such workspace');
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('name', p_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('name', p_name));
  end if;
  update public.workspaces w set name = btrim(p_name) where w.id = p_workspace_id;
  perform weir.record_act(v_act, p_workspace_id::text);
  return jsonb_build_object('id', p_workspace_id, 'name', btrim(p_name));
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_name);
end;
$$;
grant execute on function weir.rename_workspace to authenticated;

-- For admins. After the commit nobody sees the workspace or its channels. A person who shared only this workspace with an agent may no
-- longer use it.
create function weir.delete_workspace(p_workspace_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_workspace', 'admin', 'only an owner or admin deletes a workspace');
  select w.organization_id into v_act.organization_id from public.workspaces w where w.id = p_workspace_id;
  v_refusal := weir.authorize(v_act, 'there is no such workspace');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  perform weir.bury_workspace(p_workspace_id);
  perform weir.record_act(v_act, p_workspace_id::text);
  return jsonb_build_object('id', p_workspace_id, 'deleted', true);
end;
$$;
grant execute on function weir.delete_workspace to authenticated;

reset role;

set local role weir_system;

-- Its caller, weir.delete_workspace, has checked the permission. Definer: no person sees the deleted row, so a policy for persons would
-- refuse to write it.
create function weir.bury_workspace(p_workspace_id uuid) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from public.workspace_members m where m.workspace_id = p_workspace_id;
  update public.workspaces w set deleted_at = clock_timestamp() where w.id = p_workspace_id and w.deleted_at is null;
end;
$$;
grant execute on function weir.bury_workspace to weir_writer;

reset role;

-- The published names; parameter names are API.
create function public.create_workspace(organization_id uuid, name text) returns jsonb
language sql volatile begin atomic select weir.create_workspace($1, $2); end;
create function public.add_workspace_member(workspace_id uuid, user_id uuid default null, agent_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.add_workspace_member($1, $2, $3); end;
create function public.remove_workspace_member(workspace_id uuid, user_id uuid default null, agent_id uuid default null) returns jsonb
language sql volatile begin atomic select weir.remove_workspace_member($1, $2, $3); end;
create function public.rename_workspace(workspace_id uuid, name text) returns jsonb
language sql volatile begin atomic select weir.rename_workspace($1, $2); end;
create function public.delete_workspace(workspace_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_workspace($1); end;

revoke all on function public.create_workspace, public.add_workspace_member, public.remove_workspace_member, public.rename_workspace,
  public.delete_workspace from public, anon, authenticated, service_role;
grant execute on function public.create_workspace, public.add_workspace_member, public.remove_workspace_member, public.rename_workspace,
  public.delete_workspace to authenticated;
