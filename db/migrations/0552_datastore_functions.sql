-- Datastores and their links to agents. Owners and admins write them; refusals are those of weir.refuse. A search reads them when it runs,
-- so each change counts from the next search on. Admission decides nothing by them, so only create_datastore takes the organization's
-- lock, for its quota.

-- An admin may (policy datastores_are_created_by_admins); other members get WR003, and outsiders WR004. Null p_backend: `postgres`, which
-- has no settings. The settings are checked here too, so that the caller hears which member is wrong; the table's constraint holds them to
-- the same form. The organization's lock makes max_datastores exact. A deleted datastore counts until its documents are gone.
create function weir.create_datastore(p_organization_id uuid, p_name text, p_backend text, p_settings jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := weir.uuid_v7();
  v_backend text;
  v_settings jsonb;
  v_error text;
  v_constraint text;
begin
  if weir.actor_id() is null then
    return weir.refuse('WR002', 'sign in first', 'lifecycle');
  elsif not exists (select from weir.my_organizations() o where o = p_organization_id) then
    return weir.refuse('WR004', 'there is no such organization', 'lifecycle', p_organization_id, p_item => 'create_datastore');
  elsif not exists (select from weir.my_organizations('admin') o where o = p_organization_id) then
    return weir.refuse('WR003', 'datastores are made by an owner or admin', 'lifecycle', p_organization_id, p_item => 'create_datastore');
  end if;
  v_backend := coalesce(p_backend, 'postgres');
  v_settings := coalesce(p_settings, '{}');
  v_error := coalesce(weir.name_error('name', p_name), case
    when v_backend not in ('postgres', 'pinecone') then 'backend must be postgres or pinecone'
    when weir.bounds_error(v_settings, 4096) is not null then 'settings ' || weir.bounds_error(v_settings, 4096)
    when jsonb_typeof(v_settings) <> 'object' then 'settings must be an object'
    when v_backend = 'postgres' and v_settings <> '{}' then 'settings must be empty: postgres has none'
    when v_backend = 'pinecone' and (v_settings - 'index' <> '{}' or jsonb_typeof(v_settings -> 'index') is distinct from 'string'
                                     or v_settings ->> 'index' !~ '^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$')
      then 'settings must be {"index": the index''s name}' end);
  if v_error is not null then
    return weir.refuse('WR001', v_error, 'lifecycle', p_organization_id, p_item => 'create_datastore');
  end if;
  perform weir.lock_organization(p_organization_id);
  if (select count(*) from public.datastores d where d.organization_id = p_organization_id)
     >= (select o.max_datastores from public.organizations o where o.id = p_organization_id) then
    return weir.refuse('WR006', 'the organization has its maximum of datastores', 'lifecycle', p_organization_id,
                       p_item => 'create_datastore');
  end if;
  insert into public.datastores (id, organization_id, name, backend, settings, created_by)
  values (v_id, p_organization_id, btrim(p_name), v_backend, v_settings, weir.actor_id());
  perform weir.record_event('lifecycle', p_organization_id, p_item => 'create_datastore', p_detail => v_id::text);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name), 'backend', v_backend);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(sqlstate, v_constraint, 'lifecycle', p_organization_id, p_item => 'create_datastore');
end;
$$;

-- An admin may. Members who see the datastore get WR003, everybody else WR004, as do all for one that was deleted before. Nothing finds it
-- from this commit on. Its documents are deleted later in small statements (weir.purge_datastores), and count against the limits until
-- then.
create function weir.delete_datastore(p_datastore_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid;
begin
  if weir.actor_id() is null then
    return weir.refuse('WR002', 'sign in first', 'lifecycle');
  end if;
  select d.organization_id into v_organization_id from public.datastores d where d.id = p_datastore_id;
  if v_organization_id is null then
    return weir.refuse('WR004', 'there is no such datastore', 'lifecycle');
  elsif not exists (select from weir.my_organizations('admin') o where o = v_organization_id) then
    return weir.refuse('WR003', 'datastores are deleted by an owner or admin', 'lifecycle', v_organization_id, p_item => 'delete_datastore');
  end if;
  update public.datastores d set deleted_at = clock_timestamp() where d.id = p_datastore_id and d.deleted_at is null;
  if found then
    perform weir.record_event('lifecycle', v_organization_id, p_item => 'delete_datastore', p_detail => p_datastore_id::text);
  end if;
  return jsonb_build_object('id', p_datastore_id, 'deleted', true);
end;
$$;

-- An admin may, because from the next search on the agent finds what is in the datastore for everybody who may use the agent. Datastore and
-- agent must be of one organization and seen by the caller; else WR004. A repeated call leaves no row in the audit log, where a link is of
-- the kind `grant`.
create function weir.link_datastore(p_datastore_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid;
  v_constraint text;
begin
  if weir.actor_id() is null then
    return weir.refuse('WR002', 'sign in first', 'grant');
  end if;
  select d.organization_id into v_organization_id
  from public.datastores d join public.agents a on a.organization_id = d.organization_id and a.id = p_agent_id
  where d.id = p_datastore_id and d.deleted_at is null;
  if v_organization_id is null then
    return weir.refuse('WR004', 'there is no such datastore or agent', 'grant');
  elsif not exists (select from weir.my_organizations('admin') o where o = v_organization_id) then
    return weir.refuse('WR003', 'datastores are linked by an owner or admin', 'grant', v_organization_id, p_agent_id, p_item => 'link_datastore');
  end if;
  insert into public.agent_datastores (organization_id, agent_id, datastore_id, linked_by)
  values (v_organization_id, p_agent_id, p_datastore_id, weir.actor_id())
  on conflict (agent_id, datastore_id) do nothing;
  if found then
    perform weir.record_event('grant', v_organization_id, p_agent_id => p_agent_id, p_item => 'link_datastore', p_detail => p_datastore_id::text);
  end if;
  return jsonb_build_object('datastore_id', p_datastore_id, 'agent_id', p_agent_id, 'linked', true);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(sqlstate, v_constraint, 'grant', v_organization_id, p_agent_id, p_item => 'link_datastore');
end;
$$;

-- An admin may. The agent finds nothing of it from the next search on. A repeated call leaves no row in the audit log.
create function weir.unlink_datastore(p_datastore_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid;
begin
  if weir.actor_id() is null then
    return weir.refuse('WR002', 'sign in first', 'grant');
  end if;
  select d.organization_id into v_organization_id
  from public.datastores d join public.agents a on a.organization_id = d.organization_id and a.id = p_agent_id
  where d.id = p_datastore_id;
  if v_organization_id is null then
    return weir.refuse('WR004', 'there is no such datastore or agent', 'grant');
  elsif not exists (select from weir.my_organizations('admin') o where o = v_organization_id) then
    return weir.refuse('WR003', 'datastores are unlinked by an owner or admin', 'grant', v_organization_id, p_agent_id,
                       p_item => 'unlink_datastore');
  end if;
  delete from public.agent_datastores l where l.agent_id = p_agent_id and l.datastore_id = p_datastore_id;
  if found then
    perform weir.record_event('grant', v_organization_id, p_agent_id => p_agent_id, p_item => 'unlink_datastore', p_detail => p_datastore_id::text);
  end if;
  return jsonb_build_object('datastore_id', p_datastore_id, 'agent_id', p_agent_id, 'linked', false);
end;
$$;

revoke all on function weir.create_datastore(uuid, text, text, jsonb), weir.delete_datastore(uuid), weir.link_datastore(uuid, uuid),
  weir.unlink_datastore(uuid, uuid) from public;
grant execute on function weir.create_datastore(uuid, text, text, jsonb), weir.delete_datastore(uuid), weir.link_datastore(uuid, uuid),
  weir.unlink_datastore(uuid, uuid) to authenticated;
grant create on schema weir to weir_writer;
alter function weir.create_datastore(uuid, text, text, jsonb) owner to weir_writer;
alter function weir.delete_datastore(uuid) owner to weir_writer;
alter function weir.link_datastore(uuid, uuid) owner to weir_writer;
alter function weir.unlink_datastore(uuid, uuid) owner to weir_writer;
revoke create on schema weir from weir_writer;

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
revoke all on function public.create_datastore(uuid, text, text, jsonb), public.delete_datastore(uuid),
  public.link_datastore(uuid, uuid), public.unlink_datastore(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.create_datastore(uuid, text, text, jsonb), public.delete_datastore(uuid),
  public.link_datastore(uuid, uuid), public.unlink_datastore(uuid, uuid) to authenticated;
