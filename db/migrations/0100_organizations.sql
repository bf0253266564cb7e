-- Organizations and their members: the tenant, and who belongs to it with which role.

-- Limits are columns, so that the operator can set them for each organization; zero is a limit. The functions that create objects count
-- under the organization's lock, so two requests cannot both use the last free slot.
create table public.organizations (
  id uuid not null default weir.uuid_v7(),
  name text not null,
  -- Unique in the whole installation. If the caller gives none, create_organization generates a free one, so that no conflict reveals a
  -- slug that is taken.
  slug text not null,
  -- When the platform stopped it (weir.set_organization_active), and who did. Ids are copies without foreign keys, as in the audit log.
  platform_stopped_at timestamptz,
  platform_stopped_by uuid,
  -- When its owner deleted it. The owner may restore it for 30 days (weir.restore_organization). After that its contents are deleted
  -- (weir.purge_deleted); the row stays, because the audit log names its id.
  deleted_at timestamptz,
  deleted_by uuid,
  purged_at timestamptz,
  -- False closes the organization to everybody, its owners included: my_organizations leaves it out and admission denies its calls.
  is_active boolean not null generated always as (platform_stopped_at is null and deleted_at is null) stored,
  max_mcp_servers integer not null default 25,
  max_agents integer not null default 200,
  max_members integer not null default 500,
  max_workspaces integer not null default 200,
  -- How many calls and streams may be open at once. Each replica counts for itself (decision 0007): the limit protects the replica and is
  -- not a permission.
  max_concurrent_connections integer not null default 200,
  -- Zero permits no messages at all.
  max_chat_messages_per_minute integer not null default 2400,
  -- Limits of what the organization may store. max_document_bytes limits the texts.
  max_datastores integer not null default 50,
  max_documents integer not null default 10000,
  max_document_bytes bigint not null default 1073741824,
  -- Each chunk is a row, a vector and its place in indexes, however short its text is.
  max_document_chunks integer not null default 250000,
  -- Whether chat turns may use tools.
  chat_tools boolean not null default true,
  -- Null after its user was deleted: an organization outlives its creator.
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint organizations_pkey primary key (id),
  constraint organizations_slug_key unique (slug),
  constraint organizations_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint organizations_slug_is_lower_case check (slug ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
  constraint organizations_limits_are_not_negative
    check (least(max_mcp_servers, max_agents, max_members, max_workspaces, max_concurrent_connections) >= 0),
  constraint organizations_chat_limit_is_0_to_a_million check (max_chat_messages_per_minute between 0 and 1000000),
  constraint organizations_knowledge_limits_are_not_negative
    check (least(max_datastores, max_documents, max_document_bytes, max_document_chunks) >= 0),
  constraint organizations_created_by_a_user foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.organizations enable row level security, force row level security;
revoke all on public.organizations from public, anon, authenticated, service_role;
comment on table public.organizations is 'tenant: the organization itself; its id is the organization_id of every tenant row';
-- For the quota of organizations per person, for my_new_organizations, and for deleting a user.
create index organizations_created_by_idx on public.organizations (created_by);

-- A person who is removed keeps a row with the status removed, as a record of their role. An invitation makes them a member again.
create table public.organization_members (
  organization_id uuid not null,
  user_id uuid not null,
  -- Each role has all permissions of the ones before it: viewer, member, admin, owner.
  role text not null,
  -- Only `active` members may do anything. Denials of a suspended member are still recorded in the organization's audit log (weir.refuse).
  -- No function sets `invited`: an invited person is a row of organization_invitations until they accept.
  status text not null default 'active',
  invited_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint organization_members_pkey primary key (organization_id, user_id),
  constraint organization_members_role_is_known check (role in ('owner', 'admin', 'member', 'viewer')),
  constraint organization_members_status_is_known check (status in ('active', 'invited', 'suspended', 'removed')),
  constraint organization_members_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- A deleted user is removed from all organizations. weir.guard_last_owner still refuses to delete the last active owner.
  constraint organization_members_user foreign key (user_id) references auth.users (id) on delete cascade,
  constraint organization_members_invited_by foreign key (invited_by) references auth.users (id) on delete set null
);
alter table public.organization_members enable row level security, force row level security;
revoke all on public.organization_members from public, anon, authenticated, service_role;
comment on table public.organization_members is 'tenant: a person''s role and status in an organization';
-- my_organizations looks members up by user, for every policy of every statement; the primary key begins with the organization.
create index organization_members_user_id_idx on public.organization_members (user_id);
create index organization_members_invited_by_idx on public.organization_members (invited_by);

set local role weir_system;

-- The organizations in which the caller is active and has at least this role. Empty for an unknown role and for anon; inactive
-- organizations are left out. Policies compare with `= any(array(select weir.my_organizations()))`: that runs once for each statement and
-- becomes an index condition, where `exists (...)` or `in (...)` would run for each row. A security definer, because a policy on
-- organization_members that reads organization_members would recurse. `rows 3` is for the planner, which would expect a thousand.
create function weir.my_organizations(p_role text default 'viewer') returns setof uuid
language plpgsql stable security definer rows 3
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select m.organization_id
    from public.organization_members m
    join public.organizations o on o.id = m.organization_id
    where m.user_id = weir.actor_id()
      and m.status = 'active'
      and o.is_active
      and m.role = any(case p_role
            when 'viewer' then array['viewer', 'member', 'admin', 'owner']
            when 'member' then array['member', 'admin', 'owner']
            when 'admin' then array['admin', 'owner']
            when 'owner' then array['owner']
          end);
end;
$$;
grant execute on function weir.my_organizations to authenticated, weir_writer, weir_system;

-- Organizations that the caller created and that have no member yet. This lets the creator, and nobody else, become the first member
-- (policy members_begin_with_their_first_owner).
-- A security definer, because the creator is not a member yet and so does not see the organization.
create function weir.my_new_organizations() returns setof uuid
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select o.id
    from public.organizations o
    where o.created_by = weir.actor_id()
      and not exists (select from public.organization_members m where m.organization_id = o.id);
end;
$$;
grant execute on function weir.my_new_organizations to weir_writer;

-- Organizations that the caller owns and that were deleted less than 30 days ago: their owners may restore them, export them and read their
-- audit logs.
-- Definer, as my_organizations, which leaves them out.
create function weir.my_deleted_organizations() returns setof uuid
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select m.organization_id
    from public.organization_members m
    join public.organizations o on o.id = m.organization_id
    where m.user_id = weir.actor_id() and m.status = 'active' and m.role = 'owner'
      and o.deleted_at > clock_timestamp() - interval '30 days' and o.purged_at is null and o.platform_stopped_at is null;
end;
$$;
grant execute on function weir.my_deleted_organizations to authenticated, weir_writer;

reset role;

-- API roles see their organizations and change none. The writer creates an organization in the caller's own name. weir_system reads the
-- columns by which calls are decided, of all organizations.
create policy organizations_are_seen_by_their_members on public.organizations for select to authenticated, weir_writer
  using (id = any(array(select weir.my_organizations())));
create policy organizations_are_created_by_the_caller on public.organizations for insert to weir_writer
  with check (created_by = (select weir.actor_id()));
create policy organizations_are_read_by_the_engine on public.organizations for all to weir_system using (true) with check (true);
-- For weir.set_chat_tools; also for weir.update_organization and weir.delete_organization, which require an owner.
create policy organizations_are_switched_by_admins on public.organizations for update to weir_writer
  using (id = any(array(select weir.my_organizations('admin')))) with check (id = any(array(select weir.my_organizations('admin'))));
grant select on public.organizations to authenticated;
grant select, insert (id, name, slug, created_by), update (chat_tools, name, slug, deleted_at, deleted_by, updated_at)
  on public.organizations to weir_writer;
grant select (id, name, slug, is_active, platform_stopped_at, deleted_at, purged_at, created_by, created_at, max_concurrent_connections,
              max_members, chat_tools),
      update (platform_stopped_at, platform_stopped_by, deleted_at, deleted_by, purged_at) on public.organizations to weir_system;

-- Every member sees the other members of the organization and their roles.
create policy members_are_seen_by_members on public.organization_members for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
-- The only way to become a member without an invitation: as first owner of an organization that the caller has just created. Everybody else
-- accepts an invitation (weir.accept_invitation).
create policy members_begin_with_their_first_owner on public.organization_members for insert to weir_writer
  with check (user_id = (select weir.actor_id()) and role = 'owner' and status = 'active'
              and organization_id = any(array(select weir.my_new_organizations())));
-- For my_organizations, and for admission, which reads the roles of the agent's owner and of the person.
create policy members_are_read_by_the_engine on public.organization_members for all to weir_system using (true) with check (true);
-- For weir.change_member. An admin changes members; only an owner changes an owner or creates one. Everybody may leave: the row that they
-- write about themselves must have the status `removed`.
create policy members_are_changed_by_admins_and_leave_by_themselves on public.organization_members for update to weir_writer
  using ((organization_id = any(array(select weir.my_organizations('admin')))
          and (role <> 'owner' or organization_id = any(array(select weir.my_organizations('owner')))))
         or (user_id = (select weir.actor_id()) and organization_id = any(array(select weir.my_organizations()))))
  with check ((organization_id = any(array(select weir.my_organizations('admin')))
               and (role <> 'owner' or organization_id = any(array(select weir.my_organizations('owner')))))
              or (user_id = (select weir.actor_id()) and status = 'removed'));
grant select on public.organization_members to authenticated;
grant select,
      insert (organization_id, user_id, role, status),
      update (role, status, updated_at) on public.organization_members to weir_writer;
-- For weir.accept_invitation and weir.list_members; and weir.guard_last_owner, whose `for share` needs a privilege to update.
grant select (organization_id, user_id, role, status, created_at),
      insert (organization_id, user_id, role, status, invited_by),
      update (role, status, invited_by, updated_at) on public.organization_members to weir_system;

set local role weir_system;

-- An organization has an active owner for as long as it exists, whether a function or direct SQL writes. The trigger b_member_change has
-- already taken the organization's lock. So if two owners leave at once, the second check runs after the first owner has left, and `for
-- share` fails a transaction whose snapshot is older than that. Definer, because a person who has just left sees no members.
create function weir.guard_last_owner() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'UPDATE' and new.role = 'owner' and new.status = 'active' and new.organization_id = old.organization_id
     and new.user_id = old.user_id then
    return null;
  end if;
  perform from public.organization_members m
  where m.organization_id = old.organization_id and m.role = 'owner' and m.status = 'active' and m.user_id <> old.user_id
  limit 1 for share;
  if not found and exists (select from public.organizations o where o.id = old.organization_id) then
    raise exception using errcode = 'WR005',
      message = 'this is the last active owner: transfer the ownership first, or delete the organization';
  end if;
  return null;
end;
$$;

reset role;

-- Triggers fire in the order of their names. Guards begin with a_, and triggers that take the organization's lock begin with b_, so that a
-- refused change takes no lock. A test requires triggers for update and delete on every table that a permission depends on.
create trigger b_organization_change before delete or update on public.organizations
  for each row execute function weir.on_organization_change();
-- TRUNCATE fires no row trigger, so it would change permissions without the lock.
create trigger not_truncated before truncate on public.organizations for each statement execute function weir.refuse_truncate();

create trigger b_member_change before insert or update or delete on public.organization_members
  for each row execute function weir.on_permission_change();
create trigger not_truncated before truncate on public.organization_members for each statement execute function weir.refuse_truncate();
-- After the change, so that it sees the remaining members.
create trigger c_guard_last_owner after update or delete on public.organization_members
  for each row when (old.role = 'owner' and old.status = 'active') execute function weir.guard_last_owner();

set local role weir_system;

-- How many objects of a kind an organization has, to compare with its quota. Definer, because the caller does not see all of them. The
-- calling function holds the organization's lock; without it two transactions could both use the last free slot.
create function weir.count_of(p_what text, p_organization_id uuid) returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return case p_what
    when 'workspaces' then (select count(*) from public.workspaces w
                            where w.organization_id = p_organization_id and w.deleted_at is null)
    when 'agents' then (select count(*) from public.agents a
                        where a.organization_id = p_organization_id and a.deleted_at is null)
    -- An open invitation counts until it expires.
    when 'members' then (select count(*) from public.organization_members m
                         where m.organization_id = p_organization_id and m.status <> 'removed')
                      + (select count(*) from public.organization_invitations i
                         where i.organization_id = p_organization_id and i.accepted_at is null and i.revoked_at is null
                           and i.expires_at > now())
    when 'mcp_servers' then (select count(*) from public.mcp_server_instances i
                             where i.organization_id = p_organization_id and i.status <> 'deleted')
  end;
end;
$$;
grant execute on function weir.count_of to weir_writer;

-- How many organizations a person has created. Organizations that they have left count too; otherwise a person could create any number by
-- handing each over. Definer, because the person no longer sees those organizations.
create function weir.organizations_made_by(p_user_id uuid) returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select count(*) from public.organizations o where o.created_by = p_user_id);
end;
$$;
grant execute on function weir.organizations_made_by to weir_writer;

reset role;

set local role weir_writer;

-- For everybody who is signed in. The creator becomes the owner in the same transaction, so every organization has one. If p_slug is null,
-- a readable slug is generated that ends in random digits of the id, so that no conflict reveals which slugs are taken. A person may create
-- 50, including those that they have left (weir.organizations_made_by). An advisory lock of the person makes that count exact; the
-- organization does not exist yet, so it has no lock.
create function weir.create_organization(p_name text, p_slug text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_slug text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_organization', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('name', p_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('name', p_name));
  elsif octet_length(p_slug) > 40 or p_slug !~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$' then
    return weir.refuse(v_act, 'WR001', 'slug must be 1 to 40 of a-z, 0-9 and -');
  end if;
  -- One at a time for a person, so that the limit holds.
  perform pg_advisory_xact_lock(hashtextextended('weir.organizations ' || v_actor, 0));
  if weir.organizations_made_by(v_actor) >= 50 then
    return weir.refuse(v_act, 'WR006', 'a person may create 50 organizations, and you have created as many');
  end if;
  v_slug := p_slug;
  if v_slug is null then
    -- It ends in digits of the id, so it is free.
    v_slug := trim('-' from left(regexp_replace(lower(p_name), '[^a-z0-9]+', '-', 'g'), 24));
    v_slug := trim('-' from v_slug || '-' || right(v_id::text, 8));
  end if;
  insert into public.organizations (id, name, slug, created_by) values (v_id, btrim(p_name), v_slug, v_actor);
  insert into public.organization_members (organization_id, user_id, role, status) values (v_id, v_actor, 'owner', 'active');
  perform weir.record_act(weir.act('lifecycle', 'create_organization', p_organization_id => v_id));
  return jsonb_build_object('id', v_id, 'name', btrim(p_name), 'slug', v_slug);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, v_slug);
end;
$$;
grant execute on function weir.create_organization to authenticated;

reset role;

-- The published name. Its parameter names are API and do not change. The body of a wrapper is bound when it is created, so API roles need
-- EXECUTE on it and no USAGE on the schema weir. The function of the same name in weir says what it does and who may call it.
create function public.create_organization(name text, slug text default null) returns jsonb
language sql volatile begin atomic select weir.create_organization($1, $2); end;

revoke all on function public.create_organization from public, anon, authenticated, service_role;
grant execute on function public.create_organization to authenticated;
