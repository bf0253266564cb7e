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
  v_act weir.act;
  v_id constant uuid := weir.uuid_v7();
  v_backend text;
  v_settings jsonb;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('lifecycle', 'create_datastore', 'admin', 'datastores are made by an owner or admin', p_organization_id);
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
    return weir.refuse(v_act, 'WR006', 'the organization has its maximum of datastores');
  end if;
  insert into public.datastores (id, organization_id, name, backend, settings, created_by)
  values (v_id, p_organization_id, btrim(p_name), v_backend, v_settings, weir.actor_id());
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'organization_id', p_organization_id, 'name', btrim(p_name), 'backend', v_backend);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint);
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
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'delete_datastore', 'admin', 'datastores are deleted by an owner or admin');
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

-- An admin may, because from the next search on the agent finds what is in the datastore for everybody who may use the agent. Datastore and
-- agent must be of one organization and seen by the caller; else WR004. A repeated call leaves no row in the audit log, where a link is of
-- the kind `grant`.
create function weir.link_datastore(p_datastore_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('grant', 'link_datastore', 'admin', 'datastores are linked by an owner or admin',
                    p_agent_id => p_agent_id);
  select d.organization_id into v_act.organization_id
  from public.datastores d join public.agents a on a.organization_id = d.organization_id and a.id = p_agent_id
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

-- An admin may. The agent finds nothing of it from the next search on. A repeated call leaves no row in the audit log.
create function weir.unlink_datastore(p_datastore_id uuid, p_agent_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('grant', 'unlink_datastore', 'admin', 'datastores are unlinked by an owner or admin',
                    p_agent_id => p_agent_id);
  select d.organization_id into v_act.organization_id
  from public.datastores d join public.agents a on a.organization_id = d.organization_id and a.id = p_agent_id
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
