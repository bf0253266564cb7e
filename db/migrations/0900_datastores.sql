-- Datastores, and which agents may search them.

-- Documents that are searched together. A deleted datastore is invisible at once, and its documents are deleted later in small statements
-- (weir.purge_datastores), so that no transaction deletes a hundred thousand rows.
create table public.datastores (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  -- Where the vectors are stored. The texts are always here, so that permission is decided here for every passage.
  backend text not null default 'postgres',
  settings jsonb not null default '{}',
  -- Kept by the trigger count_document. Limits are checked against these without counting documents.
  document_count integer not null default 0,
  size_bytes bigint not null default 0,
  chunk_count bigint not null default 0,
  -- Rises with every change of what semantic search finds. removal_version is the version of the last removal. A replica that caches
  -- vectors compares both: it loads what was added since, and loads everything again after a removal.
  version bigint not null default 0,
  removal_version bigint not null default 0,
  -- Null: in use.
  deleted_at timestamptz,
  -- Null: the person was deleted.
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint datastores_pkey primary key (id),
  -- The target of composite foreign keys.
  constraint datastores_organization_id_id_key unique (organization_id, id),
  constraint datastores_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint datastores_backend_is_known check (backend in ('postgres', 'pinecone')),
  -- A closed form, because settings name an index at a provider.
  constraint datastores_settings_are_those_of_the_backend check (
    case when weir.bounds_error(settings, 4096) is not null or jsonb_typeof(settings) <> 'object' then false
         when backend = 'postgres' then settings = '{}'
         else settings - 'index' = '{}' and jsonb_typeof(settings -> 'index') is not distinct from 'string'
              and settings ->> 'index' ~ '^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$' end),
  constraint datastores_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint datastores_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.datastores enable row level security, force row level security;
revoke all on public.datastores from public, anon, authenticated, service_role;
comment on table public.datastores is 'tenant: documents that belong together, and where their vectors are';
-- A name is free again as soon as its datastore is deleted.
create unique index datastores_name_key on public.datastores (organization_id, lower(name)) where deleted_at is null;
-- For the foreign key, when a user is deleted.
create index datastores_created_by_idx on public.datastores (created_by);
-- For weir.purge_datastores.
create index datastores_deleted_idx on public.datastores (deleted_at) where deleted_at is not null;

-- Which datastores an agent searches. The composite foreign keys keep agent and datastore in one organization. A link is deleted with
-- either of them.
create table public.agent_datastores (
  organization_id uuid not null,
  agent_id uuid not null,
  datastore_id uuid not null,
  linked_by uuid,
  created_at timestamptz not null default now(),
  constraint agent_datastores_pkey primary key (agent_id, datastore_id),
  constraint agent_datastores_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade,
  constraint agent_datastores_datastore_of_the_organization
    foreign key (organization_id, datastore_id) references public.datastores (organization_id, id) on delete cascade,
  constraint agent_datastores_linked_by foreign key (linked_by) references auth.users (id) on delete set null
);
alter table public.agent_datastores enable row level security, force row level security;
revoke all on public.agent_datastores from public, anon, authenticated, service_role;
comment on table public.agent_datastores is 'tenant: which datastores an agent searches';
-- For the foreign key's cascade, and for weir.agent_knowledge.
create index agent_datastores_agent_idx on public.agent_datastores (organization_id, agent_id);
-- For the foreign key's cascade, and for weir.my_datastores.
create index agent_datastores_datastore_idx on public.agent_datastores (organization_id, datastore_id);
-- For the foreign key, when a user is deleted.
create index agent_datastores_linked_by_idx on public.agent_datastores (linked_by);

set local role weir_system;

-- The datastores whose documents the caller sees: all in organizations where they are an admin; elsewhere those of active agents that they
-- may use. Definer, because policies call it, and in a policy on its own table it would recurse. `rows 10` keeps the planner from expecting
-- a thousand.
create function weir.my_datastores() returns setof uuid
language plpgsql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select d.id from public.datastores d
    where d.deleted_at is null and d.organization_id = any(array(select weir.my_organizations('admin')))
    union
    select d.id
    from public.datastores d
    join public.agent_datastores l on l.organization_id = d.organization_id and l.datastore_id = d.id
    join public.agents a on a.organization_id = l.organization_id and a.id = l.agent_id and a.is_active
    where d.deleted_at is null and d.organization_id = any(array(select weir.my_organizations()))
      and weir.may_use_agent(weir.actor_id(), a.id, a.user_id);
end;
$$;
grant execute on function weir.my_datastores to authenticated, weir_writer;

reset role;

-- An admin also sees a datastore that is being deleted, marked as such. weir_writer has the same policies as `authenticated`, so its
-- functions see what their caller sees.
create policy datastores_are_seen_by_admins_and_users_of_their_agents on public.datastores for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (organization_id = any(array(select weir.my_organizations('admin'))) or id = any(array(select weir.my_datastores()))));
-- The creator is the caller, so nobody creates a datastore in another's name.
create policy datastores_are_created_by_admins on public.datastores for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and created_by = (select weir.actor_id()));
-- An update can only mark a datastore as deleted; weir_writer may update no other column, and never clears the mark.
create policy datastores_are_deleted_by_admins on public.datastores for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))))
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and deleted_at is not null);
-- The engine counts documents and deletes datastores that were marked, in all organizations.
create policy datastores_are_kept_by_the_engine on public.datastores for all to weir_system using (true) with check (true);
grant select on public.datastores to authenticated;
grant select, insert (id, organization_id, name, backend, settings, created_by), update (deleted_at) on public.datastores to weir_writer;
-- For weir.purge_deleted.
grant update (deleted_at) on public.datastores to weir_system;
grant select, update (document_count, size_bytes, chunk_count, version, removal_version), delete on public.datastores to weir_system;

-- A link is visible with its datastore.
create policy links_are_seen_with_their_datastore on public.agent_datastores for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())) and datastore_id = any(array(select weir.my_datastores())));
-- Only admins link: a link lets every user of the agent search the datastore.
create policy links_are_made_by_admins on public.agent_datastores for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and linked_by = (select weir.actor_id()));
create policy links_are_undone_by_admins on public.agent_datastores for delete to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- The engine reads links and may not write them.
create policy links_are_read_by_the_engine on public.agent_datastores for all to weir_system using (true) with check (true);
grant select on public.agent_datastores to authenticated;
grant select, insert (organization_id, agent_id, datastore_id, linked_by), delete on public.agent_datastores to weir_writer;
grant select (organization_id, agent_id, datastore_id), delete on public.agent_datastores to weir_system;

set local role weir_writer;

-- For admins (policy datastores_are_created_by_admins); other members get WR003, and outsiders WR004. A null p_backend is `postgres`, which
-- has no settings. The settings are checked here too, so that the error names the member that is wrong; the table's constraint requires the
-- same form. The organization's lock makes max_datastores exact. A deleted datastore counts until its documents are deleted.
create function weir.create_datastore(p_organization_id uuid, p_name text, p_backend text, p_settings jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_backend text;
  v_settings jsonb;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_datastore', 'admin', 'only an owner or admin makes datastores', p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_backend := coalesce(p_backend, 'postgres');
    v_settings := coalesce(p_settings, '{}');
    v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name), case
      when v_backend not in ('postgres', 'pinecone') then 'backend must be postgres or pinecone'
      when weir.bounds_error(v_settings, 4096) is not null then 'settings ' || weir.bounds_error(v_settings, 4096)
      when jsonb_typeof(v_settings) <> 'object' then 'settings must be an object'
      when v_backend = 'postgres' and v_settings <> '{}' then 'settings must be empty: postgres has none'
      when v_backend = 'pinecone' and (v_settings - 'index' <> '{}' or jsonb_typeof(v_settings -> 'index') is distinct from 'string'
                                       or v_settings ->> 'index' !~ '^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$')
        then 'settings must be {"index": the index''s name}' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif (select count(*) from public.datastores d where d.organization_id = p_organization_id)
        >= (select o.max_datastores from public.organizations o where o.id = p_organization_id) then
    return weir.refuse(v_act, 'WR006', 'the organization has reached its limit of datastores (max_datastores = '
                         || (select o.max_datastores from public.organizations o where o.id = p_organization_id) || ')',
                       'Delete a datastore, or ask the operator to raise the limit.');
  end if;
  insert into public.datastores (id, organization_id, name, backend, settings, created_by)
  values (v_id, p_organization_id, btrim(p_name), v_backend, v_settings, weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name), 'backend', v_backend);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_name);
end;
$$;
grant execute on function weir.create_datastore to authenticated;

-- For admins. Members who see the datastore get WR003, and everybody else gets WR004, as all do for one that is already deleted. After the
-- commit no search finds it. Its documents are deleted later in small statements (weir.purge_datastores), and count against the limits
-- until then.
create function weir.delete_datastore(p_datastore_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_datastore', 'admin', 'only an owner or admin deletes datastores');
  select d.organization_id into v_act.organization_id from public.datastores d where d.id = p_datastore_id;
  v_refusal := weir.authorize(v_act, 'there is no such datastore');
  if v_refusal is not null then
    return v_refusal;
  end if;
  update public.datastores d set deleted_at = clock_timestamp() where d.id = p_datastore_id and d.deleted_at is null;
  if found then
    perform weir.record_act(v_act, p_datastore_id::text);
  end if;
  return jsonb_build_object('id', p_datastore_id, 'deleted', true);
end;
$$;
grant execute on function weir.delete_datastore to authenticated;

-- For admins, because from the next search on, everybody who may use the agent finds the contents of the datastore through it. Datastore
-- and agent must be of one organization and seen by the caller; else WR004. A repeated call leaves no row in the audit log, where a link is
-- of the kind `grant`.
create function weir.link_datastore(p_datastore_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('grant', 'link_datastore', 'admin', 'only an owner or admin links datastores',
                    p_agent_id => p_agent_id);
  select d.organization_id into v_act.organization_id
  from public.datastores d join public.agents a on a.organization_id = d.organization_id and a.id = p_agent_id and a.deleted_at is null
  where d.id = p_datastore_id and d.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such datastore or agent');
  if v_refusal is not null then
    return v_refusal;
  end if;
  insert into public.agent_datastores (organization_id, agent_id, datastore_id, linked_by)
  values (v_act.organization_id, p_agent_id, p_datastore_id, weir.actor_id())
  on conflict (agent_id, datastore_id) do nothing;
  if found then
    perform weir.record_act(v_act, p_datastore_id::text);
  end if;
  return jsonb_build_object('datastore_id', p_datastore_id, 'agent_id', p_agent_id, 'linked', true);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
end;
$$;
grant execute on function weir.link_datastore to authenticated;

-- For admins. From the next search on the agent finds nothing of it. A repeated call leaves no row in the audit log.
create function weir.unlink_datastore(p_datastore_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('grant', 'unlink_datastore', 'admin', 'only an owner or admin unlinks datastores',
                    p_agent_id => p_agent_id);
  select d.organization_id into v_act.organization_id
  from public.datastores d join public.agents a on a.organization_id = d.organization_id and a.id = p_agent_id and a.deleted_at is null
  where d.id = p_datastore_id;
  v_refusal := weir.authorize(v_act, 'there is no such datastore or agent');
  if v_refusal is not null then
    return v_refusal;
  end if;
  delete from public.agent_datastores l where l.agent_id = p_agent_id and l.datastore_id = p_datastore_id;
  if found then
    perform weir.record_act(v_act, p_datastore_id::text);
  end if;
  return jsonb_build_object('datastore_id', p_datastore_id, 'agent_id', p_agent_id, 'linked', false);
end;
$$;
grant execute on function weir.unlink_datastore to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.create_datastore(
  organization_id uuid, name text, backend text default 'postgres', settings jsonb default '{}') returns jsonb
language sql volatile begin atomic select weir.create_datastore($1, $2, $3, $4); end;
create function public.delete_datastore(datastore_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_datastore($1); end;
create function public.link_datastore(datastore_id uuid, agent_id uuid) returns jsonb
language sql volatile begin atomic select weir.link_datastore($1, $2); end;
create function public.unlink_datastore(datastore_id uuid, agent_id uuid) returns jsonb
language sql volatile begin atomic select weir.unlink_datastore($1, $2); end;

revoke all on function public.create_datastore, public.delete_datastore, public.link_datastore, public.unlink_datastore
  from public, anon, authenticated, service_role;
grant execute on function public.create_datastore, public.delete_datastore, public.link_datastore, public.unlink_datastore to authenticated;
