-- What instances announce: when to ask again, and what becomes of the answer.

-- Leases running instances that were never asked in this generation, or too long ago.
create function weir.instances_to_refresh(p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval)
returns table (organization_id uuid, instance_id uuid, instance_name text, endpoint_url text, node_id uuid, share text, generation bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  with due as (
    select i.id
    from public.mcp_server_instances i
    where i.status in ('running', 'degraded')
      and (i.refreshed_generation is distinct from i.generation or i.refreshed_at < clock_timestamp() - p_max_age)
      and (i.refresh_lease_until is null or i.refresh_lease_until < clock_timestamp())
    order by i.refreshed_at nulls first, i.id
    limit greatest(p_limit, 0)
    for no key update skip locked
  ), leased as (
    update public.mcp_server_instances i
    set refresh_by = p_replica_id, refresh_lease_until = clock_timestamp() + p_lease
    from due where i.id = due.id
    returning i.*
  )
  select l.organization_id, l.id, l.name, weir.endpoint_url(l.url, n.api_url, l.id), l.node_id, l.share, l.generation
  from leased l left join weir.dtma_nodes n on n.id = l.node_id
  order by l.id;
end;
$$;
revoke all on function weir.instances_to_refresh(uuid, integer, interval, interval) from public;
grant execute on function weir.instances_to_refresh(uuid, integer, interval, interval) to weir_engine;

-- The whole announced set. A definition of a known hash keeps its status. A new name is approved under trust_first within
-- ten minutes of the instance's first running, and so is all that a catalog version announces first to which an admin has
-- just updated; a new hash of a known name, and all else, waits for an admin.
create function weir.record_definitions(
  p_instance_id uuid, p_generation bigint, p_kinds text[], p_names text[], p_hashes bytea[], p_definitions text[], p_server_info jsonb)
returns table (new_pins integer, changed_pins integer, quarantined integer)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_instance public.mcp_server_instances;
  v_trusted boolean;
  v_updated boolean;
begin
  -- The organization's lock, which calls feel, only where the answer differs from what is pinned; and before the row's.
  if exists (select a.kind, a.name, a.hash from unnest(p_kinds, p_names, p_hashes) a(kind, name, hash)
             except select t.kind, t.name, t.definition_hash from public.mcp_server_tools t
                    where t.instance_id = p_instance_id and t.announced)
     or exists (select t.kind, t.name, t.definition_hash from public.mcp_server_tools t
                where t.instance_id = p_instance_id and t.announced
                except select a.kind, a.name, a.hash from unnest(p_kinds, p_names, p_hashes) a(kind, name, hash)) then
    perform weir.lock_organization(i.organization_id) from public.mcp_server_instances i where i.id = p_instance_id;
  end if;
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update;
  if not found or v_instance.generation <> p_generation then
    return query select 0, 0, 0;
    return;
  end if;
  v_trusted := v_instance.pin_policy = 'trust_first'
           and coalesce(clock_timestamp() < v_instance.first_running_at + interval '10 minutes', false);
  v_updated := v_instance.pin_policy = 'trust_first' and coalesce(v_instance.approved_generation = p_generation, false)
           and v_instance.refreshed_generation is distinct from p_generation;

  return query
  with announced as materialized (
    select distinct on (a.kind, a.name) a.kind, a.name, a.hash, a.definition,
           exists (select from public.mcp_server_tools t
                   where t.instance_id = p_instance_id and t.kind = a.kind and t.name = a.name) as name_known
    from unnest(p_kinds, p_names, p_hashes, p_definitions) with ordinality a(kind, name, hash, definition, position)
    order by a.kind, a.name, a.position
  ), pinned as (
    insert into public.mcp_server_tools as t (organization_id, instance_id, kind, name, definition_hash, definition, status,
                                              announced, approved_at)
    select v_instance.organization_id, p_instance_id, a.kind, a.name, a.hash, a.definition,
           case when v_updated or v_trusted and not a.name_known then 'approved' else 'quarantined' end, true,
           case when v_updated or v_trusted and not a.name_known then clock_timestamp() end
    from announced a
    where not exists (select from public.mcp_server_tools t
                      where t.instance_id = p_instance_id and t.kind = a.kind and t.name = a.name and t.definition_hash = a.hash)
    returning t.kind, t.name, t.status
  ), switched as (
    update public.mcp_server_tools t
    set announced = not t.announced
    where t.instance_id = p_instance_id
      and t.announced <> exists (select from announced a where a.kind = t.kind and a.name = t.name and a.hash = t.definition_hash)
  )
  select count(*) filter (where not a.name_known)::integer, count(*) filter (where a.name_known)::integer,
         count(*) filter (where p.status = 'quarantined')::integer
  from pinned p join announced a on a.kind = p.kind and a.name = p.name;

  update public.mcp_server_instances i
  set refreshed_generation = p_generation, refreshed_at = clock_timestamp(), refresh_by = null, refresh_lease_until = null,
      server_info = coalesce(p_server_info, i.server_info)
  where i.id = p_instance_id;
end;
$$;
revoke all on function weir.record_definitions(uuid, bigint, text[], text[], bytea[], text[], jsonb) from public;
grant execute on function weir.record_definitions(uuid, bigint, text[], text[], bytea[], text[], jsonb) to weir_engine;

grant create on schema weir to weir_system;
alter function weir.instances_to_refresh(uuid, integer, interval, interval) owner to weir_system;
alter function weir.record_definitions(uuid, bigint, text[], text[], bytea[], text[], jsonb) owner to weir_system;
revoke create on schema weir from weir_system;
