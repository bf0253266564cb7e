-- Announced definitions: when to ask a server again, and what becomes of its answer. A definition that nobody approved is never
-- shown or called.

-- Leases running instances whose lists must be read: never read in this generation, due, or read longer ago than p_max_age.
-- Organizations take turns. At most p_share instances of one organization at one node (or of its remote servers) are asked at
-- once by a replica, and twice as many of all organizations at one node, so servers that hang delay only their own.
-- p_running_organizations and p_running_nodes name what this replica asks now. Definer: replicas serve all organizations.
-- force_custom_plan and seqscan (decision 0061): it looks through all that is due, so it is planned for the data of this moment.
create function weir.instances_to_refresh(
  p_replica_id uuid, p_limit integer, p_lease interval, p_max_age interval, p_share integer default 8,
  p_running_organizations uuid[] default '{}', p_running_nodes uuid[] default '{}')
returns table (organization_id uuid, instance_id uuid, instance_name text, endpoint_url text, node_id uuid, share text,
               generation bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
#variable_conflict use_column
begin
  return query
  with waiting as (
    select i.id, i.node_id, i.refreshed_at,
           i.organization_id,
           row_number() over (partition by i.organization_id, i.node_id order by i.refreshed_at nulls first, i.id) as turn
    from public.mcp_server_instances i
    where i.status in ('running', 'degraded')
      and (i.refreshed_generation is distinct from i.generation or i.refresh_at <= clock_timestamp()
           or i.refreshed_at < clock_timestamp() - p_max_age)
      and (i.refresh_lease_until is null or i.refresh_lease_until < clock_timestamp())
  -- Instances that this replica is asking already count against the organization's share.
  ), placed as (
    select w.*, row_number() over (partition by w.node_id order by w.turn, w.refreshed_at nulls first, w.id) as place
    from waiting w
    where w.turn <= p_share
      and w.turn + (select count(*) from unnest(p_running_organizations, p_running_nodes) r(organization_id, node_id)
                    where r.organization_id = w.organization_id and r.node_id is not distinct from w.node_id) <= p_share
  ), due as (
    select i.id, clock_timestamp() + p_lease as lease_until
    from placed p
    join public.mcp_server_instances i on i.id = p.id
    -- Looked at again: another replica may have taken it since.
    where (i.refresh_lease_until is null or i.refresh_lease_until < clock_timestamp())
      and (p.node_id is null
           or p.place + (select count(*) from unnest(p_running_nodes) r(node_id) where r.node_id = p.node_id) <= p_share * 2)
    order by p.turn, p.refreshed_at nulls first, i.id
    limit greatest(p_limit, 0)
    -- Never waits: refreshing is not worth a wait for somebody's change.
    for no key update of i skip locked
  ), leased as (
    update public.mcp_server_instances i
    set refresh_by = p_replica_id, refresh_lease_until = due.lease_until,
        -- If the replica dies, it is due again when the lease ends. refresh_soon sets an earlier time meanwhile.
        refresh_at = due.lease_until
    from due where i.id = due.id
    returning i.*
  )
  select l.organization_id, l.id, l.name, weir.endpoint_url(l.url, n.api_url, l.id), l.node_id, l.share, l.generation
  from leased l left join weir.dtma_nodes n on n.id = l.node_id
  order by l.id;
end;
$$;
revoke all on function weir.instances_to_refresh(uuid, integer, interval, interval, integer, uuid[], uuid[]) from public;
grant execute on function weir.instances_to_refresh(uuid, integer, interval, interval, integer, uuid[], uuid[]) to weir_engine;

-- The server says that its lists changed: ask it soon, but not within half a second of the last answer, however often it says so.
-- Returns whether this call changed anything. A change that comes while a replica asks is not lost: record_definitions sees the
-- earlier time. Definer: a replica hears from servers of all organizations.
create function weir.refresh_soon(p_instance_id uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.mcp_server_instances i
  set refresh_at = s.moment
  from (select x.id, greatest(clock_timestamp(), x.refreshed_at + interval '500 milliseconds') as moment
        from public.mcp_server_instances x where x.id = p_instance_id) s
  where i.id = s.id and i.status in ('running', 'degraded') and coalesce(i.refresh_at > s.moment, true);
  return found;
end;
$$;
revoke all on function weir.refresh_soon(uuid) from public;
grant execute on function weir.refresh_soon(uuid) to weir_engine;

-- One announced definition. eras: the protocol eras whose lists it fits into; needs: what a client must offer for the server to
-- announce it; warning: what hides from people; fault, fault_path, fault_reason: why it is listed to nobody or not to all.
-- Without eras and without needs it is left out: listed to nobody.
create type weir.announced_item as (kind text, name text, hash bytea, definition text, warning text, eras text[], needs text[],
                                    fault text, fault_path text, fault_reason text);
revoke all on type weir.announced_item from public;
grant usage on type weir.announced_item to weir_system;

-- Whether the announced definitions of these kinds differ from what is stored, or are listed to others than before. Asked first,
-- without a lock: nearly every refresh changes nothing, and then no call is held up.
create function weir.announces_otherwise(p_instance_id uuid, p_kinds text[], p_items weir.announced_item[]) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select a.kind, a.name, a.hash, a.eras, a.needs, a.fault_reason from unnest(p_items) a where a.kind = any(p_kinds)
                 except select t.kind, t.name, t.definition_hash, t.eras, t.needs, t.fault_reason from public.mcp_server_tools t
                        where t.instance_id = p_instance_id and t.kind = any(p_kinds) and t.announced)
      or exists (select t.kind, t.name, t.definition_hash from public.mcp_server_tools t
                 where t.instance_id = p_instance_id and t.kind = any(p_kinds) and t.announced
                 except select a.kind, a.name, a.hash from unnest(p_items) a where a.kind = any(p_kinds));
end;
$$;

-- Records each definition that from now on waits for an admin or is left out: the first twenty by name, the rest as one number,
-- so that one announcement cannot fill the audit log.
create function weir.record_quarantine(
  p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[], p_reasons text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform weir.record_event('lifecycle', p_organization_id, p_instance_id => p_instance_id, p_item => 'quarantine',
                            p_detail => format('%s %s %s: %s', a.kind, encode(a.hash, 'hex'), p_reasons[a.n], weir.cut(a.name, 200)))
  from (select u.*, u.ordinality as n from unnest(p_items) with ordinality u) a where a.n <= 20;
  if cardinality(p_items) > 20 then
    perform weir.record_event('lifecycle', p_organization_id, p_instance_id => p_instance_id, p_item => 'quarantine',
                              p_detail => format('%s more', cardinality(p_items) - 20));
  end if;
end;
$$;
-- Replaces the list of resources. Resources are not pinned: no decision is made by them, so they are approved as they come, and
-- count_change only tells replicas. Of those that are left out, the newest 200 that are announced no more stay, so that a server
-- that announces them again and again has each in the audit log once.
create function weir.record_resources(p_organization_id uuid, p_instance_id uuid, p_items weir.announced_item[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_items weir.announced_item[];
begin
  -- Resources that are gone or are listed otherwise are deleted, except for those that were left out.
  delete from public.mcp_server_tools t
  where t.instance_id = p_instance_id and t.kind = 'resource'
    and not exists (select from unnest(p_items) a
                    where a.kind = 'resource' and a.name = t.name and a.hash = t.definition_hash
                      and (a.eras, a.needs, a.fault_reason) is not distinct from (t.eras, t.needs, t.fault_reason))
    and (t.eras <> '{}' or t.needs <> '{}'
         or exists (select from unnest(p_items) a
                    where a.kind = 'resource' and a.name = t.name
                      and a.hash = t.definition_hash));
  -- Resources that were left out before and are announced again, or the reverse.
  update public.mcp_server_tools t
  set announced = not t.announced
  where t.instance_id = p_instance_id and t.kind = 'resource'
    and t.announced <> exists (select from unnest(p_items) a
                               where a.kind = 'resource' and a.name = t.name and a.hash = t.definition_hash);
  -- Only the newest 200 are kept.
  delete from public.mcp_server_tools t
  using (select x.name, x.definition_hash from public.mcp_server_tools x
         where x.instance_id = p_instance_id and x.kind = 'resource' and not x.announced
         order by x.first_seen_at desc, x.name, x.definition_hash offset 200) old
  where t.instance_id = p_instance_id and t.kind = 'resource' and t.name = old.name and t.definition_hash = old.definition_hash;
  with added as (
    insert into public.mcp_server_tools as t (organization_id, instance_id, kind, name, definition_hash, definition, status, announced,
                                              eras, needs, fault, fault_path, fault_reason, approved_at)
    select p_organization_id, p_instance_id, a.kind, a.name, a.hash, a.definition, 'approved', true,
           a.eras, a.needs, a.fault, a.fault_path, a.fault_reason, clock_timestamp()
    from unnest(p_items) a
    where a.kind = 'resource'
      and not exists (select from public.mcp_server_tools t
                      where t.instance_id = p_instance_id and t.kind = 'resource'
                        and t.name = a.name and t.definition_hash = a.hash)
    returning t.name, t.definition_hash
  )
  -- Only what is new and left out is recorded.
  select array_agg(a order by a.name, a.hash) into v_items
  from added d join unnest(p_items) a on a.kind = 'resource' and a.name = d.name and a.hash = d.definition_hash
  where a.eras = '{}' and a.needs = '{}';
  if v_items is not null then
    perform weir.record_quarantine(p_organization_id, p_instance_id, v_items,
                                   array(select concat_ws(' at ', a.fault, a.fault_path)
                                         from unnest(v_items) with ordinality a order by a.ordinality));
  end if;
  perform weir.count_change(p_organization_id);
end;
$$;

revoke all on function weir.announces_otherwise(uuid, text[], weir.announced_item[]),
  weir.record_resources(uuid, uuid, weir.announced_item[]),
  weir.record_quarantine(uuid, uuid, weir.announced_item[], text[]) from public;
grant execute on function weir.announces_otherwise(uuid, text[], weir.announced_item[]),
  weir.record_resources(uuid, uuid, weir.announced_item[]),
  weir.record_quarantine(uuid, uuid, weir.announced_item[], text[]) to weir_system;

-- Writes new and changed pins. A definition with a known hash keeps its status. A new name is approved where p_trusted, and
-- everything new where p_updated, but never what hides from people (warning) or is left out. A new hash of a known name, and
-- everything else, waits for an admin. A name that was only left out so far does not count as known. The caller holds the
-- organization's lock.
create function weir.record_pins(
  p_organization_id uuid, p_instance_id uuid, p_kinds text[], p_items weir.announced_item[], p_trusted boolean, p_updated boolean,
  out new_pins integer, out changed_pins integer, out quarantined integer)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_items weir.announced_item[];
  v_reasons text[];
begin
  -- Each announced definition with its approval, by what was known before this statement.
  with announced as materialized (
    select a.*, k.name_known, l.is_left_out,
           a.warning is null and not l.is_left_out and (p_updated or p_trusted and not k.name_known) as is_approved
    from unnest(p_items) a
    cross join lateral (select a.eras = '{}' and a.needs = '{}' as is_left_out) l
    cross join lateral (select exists (select from public.mcp_server_tools t
                                       where t.instance_id = p_instance_id and t.kind = a.kind and t.name = a.name
                                         and (t.eras <> '{}' or t.needs <> '{}')) as name_known) k
    where a.kind = any(p_kinds)
  ), pinned as (
    insert into public.mcp_server_tools as t (organization_id, instance_id, kind, name, definition_hash, definition, status, warning,
                                              announced, eras, needs, fault, fault_path, fault_reason, approved_at)
    select p_organization_id, p_instance_id, a.kind, a.name, a.hash, a.definition,
           case when a.is_approved then 'approved' else 'quarantined' end, a.warning, true, a.eras, a.needs, a.fault, a.fault_path,
           a.fault_reason, case when a.is_approved then clock_timestamp() end
    from announced a
    -- Not by `on conflict`: the trigger that takes the organization's lock would run for what is there already.
    where not exists (select from public.mcp_server_tools t
                      where t.instance_id = p_instance_id and t.kind = a.kind and t.name = a.name and t.definition_hash = a.hash)
    returning t.kind, t.name, t.definition_hash
  -- Whether a definition is announced, and to whom it is listed, may change without approval; only rows that differ are written.
  ), switched as (
    update public.mcp_server_tools t
    set announced = s.is_announced, eras = s.eras, needs = s.needs, fault = s.fault, fault_path = s.fault_path,
        fault_reason = s.fault_reason
    -- A definition that is no longer announced keeps its eras and faults.
    from (select x.kind, x.name, x.definition_hash, a.hash is not null as is_announced,
                 case when a.hash is null then x.eras else a.eras end as eras,
                 case when a.hash is null then x.needs else a.needs end as needs,
                 case when a.hash is null then x.fault else a.fault end as fault,
                 case when a.hash is null then x.fault_path else a.fault_path end as fault_path,
                 case when a.hash is null then x.fault_reason else a.fault_reason end as fault_reason
          from public.mcp_server_tools x
          left join announced a on a.kind = x.kind and a.name = x.name and a.hash = x.definition_hash
          where x.instance_id = p_instance_id and x.kind = any(p_kinds)) s
    where t.instance_id = p_instance_id and t.kind = s.kind and t.name = s.name and t.definition_hash = s.definition_hash
      and (t.announced, t.eras, t.needs, t.fault, t.fault_path, t.fault_reason)
          is distinct from (s.is_announced, s.eras, s.needs, s.fault, s.fault_path, s.fault_reason)
  )
  -- Counts and events are of new pins only; a repeated announcement records nothing.
  select count(*) filter (where not a.name_known and not a.is_left_out)::integer,
         count(*) filter (where a.name_known and not a.is_left_out)::integer,
         count(*) filter (where not a.is_approved and not a.is_left_out)::integer,
         array_agg(row(a.kind, a.name, a.hash, null, null, null, null, null, null, null)::weir.announced_item
                   order by a.kind, a.name, a.hash)
           filter (where not a.is_approved),
         array_agg(coalesce(case when a.is_left_out then concat_ws(' at ', a.fault, a.fault_path) end, a.warning,
                            case when a.name_known then 'changed' else 'new' end) order by a.kind, a.name, a.hash)
           filter (where not a.is_approved)
  into new_pins, changed_pins, quarantined, v_items, v_reasons
  from pinned p join announced a on a.kind = p.kind and a.name = p.name and a.hash = p.definition_hash;

  if v_items is not null then
    perform weir.record_quarantine(p_organization_id, p_instance_id, v_items, v_reasons);
    -- A server that announces something else each time fills nobody's disk.
    delete from public.mcp_server_tools t
    using (select x.kind, x.name, x.definition_hash from public.mcp_server_tools x
           where x.instance_id = p_instance_id and x.kind = any(p_kinds) and x.status = 'quarantined' and not x.announced
           order by x.first_seen_at desc, x.kind, x.name, x.definition_hash offset 200) old
    where t.instance_id = p_instance_id and t.kind = old.kind and t.name = old.name and t.definition_hash = old.definition_hash;
  end if;
end;
$$;
revoke all on function weir.record_pins(uuid, uuid, text[], weir.announced_item[], boolean, boolean) from public;
grant execute on function weir.record_pins(uuid, uuid, text[], weir.announced_item[], boolean, boolean) to weir_system;

-- Records what an instance announced: the whole set of the kinds that were listed (p_listed); of other kinds the last good list
-- stays. Nothing is written if the instance has another generation by now. Definer: pins are written by what servers announce,
-- never by a person.
-- trust_first approves new names within ten minutes of the instance's first running. It also approves all that a catalog version
-- announces first after an admin has updated to it.
-- p_ttl: how long the server says that its lists are good; asked again then, but not within five seconds. p_eras and p_needs: of
-- each item, separated by commas. p_keeps_needing: kinds for which the server could not be asked this time what it has only for
-- clients that offer something; those items stay as they are.
create function weir.record_definitions(
  p_instance_id uuid, p_generation bigint, p_kinds text[], p_names text[], p_hashes bytea[], p_definitions text[], p_server_info jsonb,
  p_warnings text[] default null, p_listed text[] default array['tool', 'prompt', 'template', 'resource'], p_ttl interval default null,
  p_eras text[] default null, p_needs text[] default null, p_faults text[] default null, p_fault_paths text[] default null,
  p_fault_reasons text[] default null, p_keeps_needing text[] default '{}')
returns table (new_pins integer, changed_pins integer, quarantined integer)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_instance public.mcp_server_instances;
  v_pins constant text[] := array_remove(p_listed, 'resource');
  v_items weir.announced_item[];
  v_resources boolean;
begin
  -- A name that is announced twice is the first of the two. What is left out may share its name with others, or have none.
  v_items := array(select row(a.kind, a.name, a.hash, a.definition, a.warning, a.eras, a.needs, a.fault, a.fault_path,
                              a.fault_reason)::weir.announced_item
                   from (select distinct on (i.kind, i.name, i.left_out) i.*
                         from (select u.kind, u.name, u.hash, u.definition, u.warning, u.fault, u.fault_path, u.fault_reason, u.n,
                                      string_to_array(coalesce(u.eras, 'legacy,modern'), ',') as eras,
                                      string_to_array(coalesce(u.needs, ''), ',') as needs,
                                      case when u.eras = '' and u.needs = '' then u.hash end as left_out
                               from unnest(p_kinds, p_names, p_hashes, p_definitions, p_warnings, p_eras, p_needs, p_faults, p_fault_paths,
                                           p_fault_reasons) with ordinality
                                    u(kind, name, hash, definition, warning, eras, needs, fault, fault_path, fault_reason, n)) i
                         order by i.kind, i.name, i.left_out, i.n) a);
  -- Kinds that could not be asked for such clients this time: what is stored for them counts as announced.
  if p_keeps_needing <> '{}' then
    v_items := v_items || array(
      select row(t.kind, t.name, t.definition_hash, t.definition, t.warning, t.eras, t.needs, t.fault, t.fault_path,
                 t.fault_reason)::weir.announced_item
      from public.mcp_server_tools t
      where t.instance_id = p_instance_id and t.announced and t.needs <> '{}' and t.kind = any(p_keeps_needing)
        and not exists (select from unnest(v_items) a where a.kind = t.kind and a.name = t.name));
  end if;
  -- The organization's lock blocks calls, so it is taken only where pins differ, and before the row's. New resources take it
  -- shared: no call waits, and they stay apart from whoever holds it exclusively.
  v_resources := 'resource' = any(p_listed) and weir.announces_otherwise(p_instance_id, array['resource'], v_items);
  if weir.announces_otherwise(p_instance_id, v_pins, v_items) then
    perform weir.lock_organization(i.organization_id) from public.mcp_server_instances i where i.id = p_instance_id;
  elsif v_resources then
    perform pg_advisory_xact_lock_shared(weir.lock_key(i.organization_id)) from public.mcp_server_instances i where i.id = p_instance_id;
  end if;
  -- An answer of an older generation is of a server that is not wanted any more.
  select i.* into v_instance from public.mcp_server_instances i where i.id = p_instance_id for no key update;
  if not found or v_instance.generation <> p_generation then
    return query select 0, 0, 0;
    return;
  end if;

  -- Trusted: the first ten minutes. Updated: the first answer in the generation that an admin's update of the catalog version
  -- began.
  return query select r.* from weir.record_pins(
    v_instance.organization_id, p_instance_id, v_pins, v_items,
    v_instance.pin_policy = 'trust_first' and coalesce(clock_timestamp() < v_instance.first_running_at + interval '10 minutes', false),
    v_instance.pin_policy = 'trust_first' and coalesce(v_instance.approved_generation = p_generation, false)
      and v_instance.refreshed_generation is distinct from p_generation) r;
  if v_resources then
    perform weir.record_resources(v_instance.organization_id, p_instance_id, v_items);
  end if;
  -- The lease ends, and the next time to ask is set. A server_info that is too large is ignored, and the last good one stays.
  update public.mcp_server_instances i
  set refreshed_generation = p_generation, refreshed_at = clock_timestamp(), refresh_by = null, refresh_lease_until = null,
      refresh_at = clock_timestamp() + case
        -- Somebody called refresh_soon while the lists were read.
        when i.refresh_at < i.refresh_lease_until then interval '500 milliseconds'
        when p_ttl < interval '5 seconds' then interval '5 seconds'
        else p_ttl end,
      server_info = coalesce(case when weir.bounds_error(p_server_info, 65536) is null then p_server_info end, i.server_info)
  where i.id = p_instance_id;
end;
$$;
revoke all on function weir.record_definitions(uuid, bigint, text[], text[], bytea[], text[], jsonb, text[], text[], interval,
  text[], text[], text[], text[], text[], text[]) from public;
grant execute on function weir.record_definitions(uuid, bigint, text[], text[], bytea[], text[], jsonb, text[], text[], interval,
  text[], text[], text[], text[], text[], text[]) to weir_engine;

grant create on schema weir to weir_system;
alter function weir.instances_to_refresh(uuid, integer, interval, interval, integer, uuid[], uuid[]) owner to weir_system;
alter function weir.refresh_soon(uuid) owner to weir_system;
alter function weir.record_definitions(uuid, bigint, text[], text[], bytea[], text[], jsonb, text[], text[], interval,
  text[], text[], text[], text[], text[], text[]) owner to weir_system;
revoke create on schema weir from weir_system;
