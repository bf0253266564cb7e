-- Operations: what a node must do with an instance. A published function writes the desired state and a row here in one transaction; a
-- worker of any replica claims the row and calls the node outside of any transaction.

-- The outbox. A row commits together with the change of the instance, so an operation is neither lost nor carried out before that commit.
create table weir.dtma_operations (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  instance_id uuid not null,
  action text not null,
  -- The instance's generation at the request. If the instance has a later one, the operation is superseded and no node is called.
  generation bigint not null,
  -- Null: the system itself, or a user who was deleted.
  created_by uuid,
  created_at timestamptz not null default now(),
  -- Rises with each claim. An operation that must be repeated has a later run_at.
  attempt integer not null default 0,
  run_at timestamptz not null default now(),
  -- The replica that carries it out, and the end of its lease. After that any other replica may take it.
  claimed_by uuid,
  lease_until timestamptz,
  finished_at timestamptz,
  outcome text,
  error_code text,
  error text,
  constraint dtma_operations_pkey primary key (id),
  constraint dtma_operations_action_is_known check (action in ('deploy', 'update', 'restart', 'stop', 'delete')),
  constraint dtma_operations_outcome_is_known check (outcome in ('done', 'failed', 'superseded')),
  constraint dtma_operations_finished_with_outcome check ((finished_at is null) = (outcome is null)),
  constraint dtma_operations_claimed_with_lease check ((claimed_by is null) = (lease_until is null)),
  constraint dtma_operations_errors_are_short check (length(error_code) <= 100 and length(error) <= 2000),
  -- Composite, so that an operation cannot be recorded for another organization's instance.
  constraint dtma_operations_instance_of_the_organization
    foreign key (organization_id, instance_id) references public.mcp_server_instances (organization_id, id) on delete cascade,
  constraint dtma_operations_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table weir.dtma_operations enable row level security, force row level security;
revoke all on weir.dtma_operations from public, anon, authenticated, service_role;
comment on table weir.dtma_operations is 'tenant: outbox of what nodes are asked to do';
create index dtma_operations_instance_idx on weir.dtma_operations (organization_id, instance_id);
create index dtma_operations_created_by_idx on weir.dtma_operations (created_by);
-- For workers, which poll for operations that are due: finished rows stay as history and must not slow that down.
create index dtma_operations_open_idx on weir.dtma_operations (run_at) where finished_at is null;
-- One operation for each desired state: two requests for the same state make one row. A restart does not change the desired state and keeps
-- the generation, so an instance has at most one open restart.
create unique index dtma_operations_generation_key on weir.dtma_operations (instance_id, generation, action) where action <> 'restart';
create unique index dtma_operations_restart_key on weir.dtma_operations (instance_id) where action = 'restart' and finished_at is null;

-- Admins add operations in their own name, through weir_writer. They never update or delete one; workers claim and finish them.
create policy operations_are_written_by_admins on weir.dtma_operations for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and created_by = (select weir.actor_id()));
create policy operations_are_seen_by_admins on weir.dtma_operations for select to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
create policy operations_are_kept_by_the_engine on weir.dtma_operations for all to weir_system using (true) with check (true);
grant select, insert (id, organization_id, instance_id, action, generation, created_by) on weir.dtma_operations to weir_writer;
grant select,
      update (attempt, run_at, claimed_by, lease_until, finished_at, outcome, error_code, error),
      insert (organization_id, instance_id, action, generation) on weir.dtma_operations to weir_system;

-- Operations that may run now, ranked: the first of each organization at each node, then the second, up to p_share. So servers that hang
-- delay only their own organization and node. A superseded operation calls no node, so it is finished at once, whenever it was due, and
-- does not count (rank 0). An operation for a node that has not sent a heartbeat since a restore waits for one. Not a definer: its caller,
-- claim_operations, runs as weir_system.
create function weir.operations_in_turn(p_share integer, p_running_organizations uuid[], p_running_nodes uuid[])
returns table (operation_id uuid, turn bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Not leased, and due or superseded. A deletion goes to the node that has the files, even if the instance has no node now.
  with due as (
    select o.id, o.organization_id, i.node_id, o.run_at, o.generation <> i.generation as superseded,
           row_number() over (partition by o.organization_id, i.node_id, o.generation <> i.generation order by o.run_at, o.id) as turn
    from weir.dtma_operations o
    join public.mcp_server_instances i on i.id = o.instance_id
    left join weir.dtma_nodes n on n.id = coalesce(i.node_id, case o.action when 'delete' then i.last_node_id end)
    where o.finished_at is null and (n.id is null or n.api_url is not null or o.generation <> i.generation)
      and (o.run_at <= clock_timestamp() or o.generation <> i.generation)
      and (o.lease_until is null or o.lease_until < clock_timestamp())
  -- Operations that this replica is carrying out already count against the organization's share.
  ), placed as (
    select d.*, row_number() over (partition by d.node_id, d.superseded order by d.turn, d.run_at, d.id) as place
    from due d
    where d.superseded
       or d.turn <= p_share
          and d.turn + (select count(*) from unnest(p_running_organizations, p_running_nodes) r(organization_id, node_id)
                        where r.organization_id = d.organization_id and r.node_id is not distinct from d.node_id) <= p_share
  )
  -- A node carries out at most twice the share for all organizations together. Remote servers have no node and no such limit.
  select p.id, case when p.superseded then 0 else p.turn end
  from placed p
  where p.superseded or p.node_id is null
     or p.place + (select count(*) from unnest(p_running_nodes) r(node_id) where r.node_id = p.node_id) <= p_share * 2;
end;

-- Chooses an online node with this runtime: first by the region, then the one that has the instance's files, then the one with the fewest
-- instances. Null: no node fits. The advisory lock serializes placements, because two workers must not both find a node without isolation
-- empty. It is taken after the organization's lock.
create function weir.choose_node(p_organization_id uuid, p_region text, p_runtime text, p_last_node_id uuid) returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('weir.choose_node', 0));
  return (
    select n.id
    from weir.dtma_nodes n
    cross join lateral (
      -- A server that failed or is being deleted still counts on its node.
      select count(*) as instances, bool_or(i.organization_id <> p_organization_id) as foreign_too
      from public.mcp_server_instances i
      where i.node_id = n.id and i.status not in ('stopped', 'deleted')) u
    where n.is_online and p_runtime = any(n.runtimes)
      and (n.isolation <> 'none' or u.foreign_too is not true)
      -- The most servers that a heartbeat may name (HeartbeatRequest.MostServers).
      and u.instances < 4096
    order by n.region is distinct from p_region, n.id is distinct from p_last_node_id, u.instances, n.id
    limit 1);
end;
$$;

-- Completes a deletion. The row stays, because the audit log and usage name its id; what the tenant wrote into it is removed. It acts only
-- in the generation that requested the deletion.
create function weir.bury_instance(p_instance_id uuid, p_generation bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.mcp_server_instances i
  set status = 'deleted', node_id = null, last_node_id = null, configuration = '{}', last_error_code = null, last_error = null
  where i.id = p_instance_id and i.generation = p_generation and i.status = 'deleting';
end;
$$;

-- Makes an instance's lists due now. It also ends a lease, because its replica may get the lists from before the change.
create function weir.refresh_now(p_instance_id uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.mcp_server_instances i set refresh_at = clock_timestamp(), refresh_lease_until = null where i.id = p_instance_id;
end;
$$;

revoke all on function weir.operations_in_turn, weir.choose_node, weir.bury_instance, weir.refresh_now from public;
grant execute on function weir.operations_in_turn, weir.choose_node, weir.bury_instance, weir.refresh_now to weir_system;

set local role weir_system;

-- Places deployments, then leases operations that are due to a replica. Definer: workers serve all organizations.
-- Fairness: a replica runs at most p_share operations of one organization at one node (or at its remote servers) at once, and twice as many
-- of all organizations at one node. p_running_organizations and p_running_nodes name what this replica is carrying out now. Organizations
-- alternate, so one with many operations due does not fill p_limit. An organization that keeps its own lock busy delays no other: its
-- placements are left for the next run.
-- Placement: a node without isolation runs every server as one user, so it serves a single organization. If no node fits, the operation
-- waits and its instance says why.
-- force_custom_plan and seqscan (decision 0061): it reads everything that is due, so it is planned for the current data.
create function weir.claim_operations(
  p_replica_id uuid, p_limit integer, p_lease interval, p_share integer default 8,
  p_running_organizations uuid[] default '{}', p_running_nodes uuid[] default '{}')
returns table (operation_id uuid, action text, organization_id uuid, instance_id uuid, instance_name text, generation bigint,
               attempt integer, node_id uuid, node_api_url text, node_sealed_api_key bytea, endpoint_url text, runtime text,
               transport text, package text, package_version text, bin text, args jsonb, env jsonb, configuration jsonb, share text,
               max_sessions integer, calls_at_once integer, created_at timestamptz)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = on
as $$
#variable_conflict use_column
declare
  v_operation record;
  v_node_id uuid;
  v_claimed uuid[] := '{}'::uuid[];
  v_until constant timestamptz := clock_timestamp() + interval '500 milliseconds';
begin
  -- Operations are locked first, and those that another replica holds are skipped. The loop goes by organization, the order in which all
  -- functions take the locks of several organizations.
  for v_operation in
    select * from (
      select o.id, o.organization_id, o.instance_id, o.action, o.generation, i.generation as wanted, i.catalog_server_id, i.node_id,
             i.last_node_id, i.region, i.last_error_code, c.runtime,
             c.state = 'blocked' and o.action in ('deploy', 'update', 'restart') as is_blocked
      from weir.dtma_operations o
      join public.mcp_server_instances i on i.id = o.instance_id
      left join public.mcp_server_catalog c on c.id = i.catalog_server_id
      join weir.operations_in_turn(p_share, p_running_organizations, p_running_nodes) t on t.operation_id = o.id
      -- Checked again: another replica may have taken it since.
      where o.finished_at is null and (o.lease_until is null or o.lease_until < clock_timestamp())
      order by t.turn, o.run_at, o.id
      limit greatest(p_limit, 0)
      for update of o skip locked) due
    order by due.organization_id, due.instance_id
  loop
    if v_operation.generation <> v_operation.wanted then
      -- Superseded: another state was requested since.
      update weir.dtma_operations o
      set finished_at = clock_timestamp(), outcome = 'superseded', claimed_by = null, lease_until = null where o.id = v_operation.id;
      continue;
    elsif v_operation.is_blocked then
      -- The platform has blocked this version since the request. A restart leaves the server as it is.
      if weir.try_lock_organization(v_operation.organization_id, v_until) then
        perform weir.apply_report(v_operation.instance_id, v_operation.generation, 'failed', 'catalog_blocked',
                                  'The platform has blocked this version of the catalog entry.')
        where v_operation.action <> 'restart';
        update weir.dtma_operations o
        set finished_at = clock_timestamp(), outcome = 'failed', error_code = 'catalog_blocked', claimed_by = null, lease_until = null
        where o.id = v_operation.id;
      else
        update weir.dtma_operations o set run_at = clock_timestamp() + interval '500 milliseconds' where o.id = v_operation.id;
      end if;
      continue;
    elsif v_operation.catalog_server_id is not null and v_operation.node_id is null then
      if not weir.try_lock_organization(v_operation.organization_id, v_until) then
        -- Later than those that are due now, so that it does not delay them.
        update weir.dtma_operations o set run_at = clock_timestamp() + interval '500 milliseconds' where o.id = v_operation.id;
        continue;
      end if;
      -- After the organization's lock: choose_node makes all other placements wait for this one.
      v_node_id := case
        -- A deletion goes to where the files are.
        when v_operation.action = 'delete' then v_operation.last_node_id
        when v_operation.action <> 'stop'
          then weir.choose_node(v_operation.organization_id, v_operation.region, v_operation.runtime, v_operation.last_node_id)
      end;
      if v_operation.action in ('stop', 'delete') and v_node_id is null then
        -- It was never placed: there is nothing to stop or to remove.
        perform weir.apply_report(v_operation.instance_id, v_operation.generation, 'stopped', null, null),
                weir.bury_instance(v_operation.instance_id, v_operation.generation);
        update weir.dtma_operations o set finished_at = clock_timestamp(), outcome = 'done', claimed_by = null, lease_until = null
        where o.id = v_operation.id;
        continue;
      elsif v_node_id is null then
        -- Written once, so that a wait for a node does not change the row every two seconds.
        update public.mcp_server_instances i
        set last_error_code = 'no_node',
            last_error = format('No online node can run it. It needs the runtime %s, and a node without isolation serves one '
                                'organization. `weir node register` adds a node.', v_operation.runtime)
        where i.id = v_operation.instance_id and i.last_error_code is distinct from 'no_node';
        update weir.dtma_operations o set run_at = clock_timestamp() + interval '2 seconds' where o.id = v_operation.id;
        continue;
      end if;
      -- The files stay on the node, so last_node_id keeps it when the instance stops.
      update public.mcp_server_instances i
      set node_id = v_node_id, last_node_id = v_node_id, last_error_code = null, last_error = null
      where i.id = v_operation.instance_id;
    end if;
    v_claimed := v_claimed || v_operation.id;
  end loop;

  -- Attempts count claims, so an operation whose replica died counts one too.
  update weir.dtma_operations o
  set claimed_by = p_replica_id, lease_until = clock_timestamp() + p_lease, attempt = o.attempt + 1
  where o.id = any(v_claimed);

  -- Everything that a replica needs to carry them out. The node's API key comes sealed.
  return query
  select o.id, o.action, o.organization_id, i.id, i.instance_name, o.generation, o.attempt, n.id, n.api_url, n.sealed_api_key,
         weir.endpoint_url(i.url, n.api_url, i.id), c.runtime, c.transport, c.package, c.version, c.bin, c.args, c.env,
         i.configuration, i.share, i.max_sessions, c.calls_at_once, o.created_at
  from weir.dtma_operations o
  join public.mcp_server_instances i on i.id = o.instance_id
  left join public.mcp_server_catalog c on c.id = i.catalog_server_id
  left join weir.dtma_nodes n on n.id = i.node_id
  where o.id = any(v_claimed)
  order by o.run_at, o.id;
end;
$$;
grant execute on function weir.claim_operations to weir_engine;

-- Records the result of a claimed operation. Only the replica that holds the lease may report; for any other the answer is false.
-- p_outcome: done, failed, or retry (then p_retry_at says when; null: in five seconds). Definer: workers serve all organizations. The
-- organization's lock is taken before the row's, and only where the instance's state changes.
create function weir.record_operation(
  p_operation_id uuid, p_replica_id uuid, p_outcome text, p_error_code text, p_error text, p_retry_at timestamptz) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_operation weir.dtma_operations;
  v_code constant text := weir.failure_code(p_error_code);
  v_error constant text := coalesce(weir.cut(p_error, 2000), weir.failure_sentence(v_code));
begin
  if p_outcome is null or p_outcome not in ('done', 'failed', 'retry') then
    raise exception using errcode = 'WR001', message = 'p_outcome: must be done, failed or retry';
  end if;
  -- A failure and a deletion change rows that admission decides by.
  perform weir.lock_organization(o.organization_id) from weir.dtma_operations o
  where o.id = p_operation_id and (p_outcome = 'failed' or o.action = 'delete');
  -- The condition on claimed_by refuses a replica that has lost its lease.
  update weir.dtma_operations o
  set claimed_by = null, lease_until = null, error_code = v_code, error = v_error,
      finished_at = case when p_outcome <> 'retry' then clock_timestamp() end,
      outcome = nullif(p_outcome, 'retry'),
      run_at = case when p_outcome = 'retry' then coalesce(p_retry_at, clock_timestamp() + interval '5 seconds') else o.run_at end
  where o.id = p_operation_id and o.claimed_by = p_replica_id and o.finished_at is null
  returning o.* into v_operation;
  if v_operation.id is null then
    return false;
  end if;
  if v_operation.action = 'delete' and p_outcome = 'done' then
    perform weir.bury_instance(v_operation.instance_id, v_operation.generation);
  elsif p_outcome = 'done' then
    -- A restarted server may announce other lists. For a deployment its first running does the same.
    perform weir.refresh_now(v_operation.instance_id) where v_operation.action = 'restart';
    -- The node has accepted it: the error of an earlier attempt to reach the node is obsolete.
    update public.mcp_server_instances i set last_error_code = null, last_error = null
    where i.id = v_operation.instance_id and i.generation = v_operation.generation
      and i.status in ('deploying', 'updating', 'stopping') and i.last_error_code is not null;
  elsif p_outcome = 'failed' then
    update public.mcp_server_instances i
    -- After a failed deletion the instance stays `deleting`: an admin may request it again. A remote server that ran is checked again and
    -- again, so a restart that fails leaves it `degraded`.
    set status = case when i.status = 'deleting' then i.status
                      when i.url is not null and v_operation.action = 'restart' and i.status in ('running', 'degraded') then 'degraded'
                      else 'failed' end,
        last_error_code = coalesce(v_code, 'failed'), last_error = coalesce(v_error, weir.failure_sentence('failed'))
    where i.id = v_operation.instance_id and i.generation = v_operation.generation
      and (i.status = 'deleting'
           or exists (select from weir.instance_moves m where m.from_status = i.status and m.to_status = 'failed'))
      -- A node that could not be reached for a restart has reported nothing about the server.
      and not (v_operation.action = 'restart' and coalesce(v_code, '') in ('node_unreachable', 'node_key_lost'));
  else
    -- While the operation is repeated, its instance has the error. It is cleared when the instance runs.
    update public.mcp_server_instances i set last_error_code = v_code, last_error = v_error
    where p_outcome = 'retry' and i.id = v_operation.instance_id and i.generation = v_operation.generation
      and i.status in ('deploying', 'updating', 'stopping', 'deleting');
  end if;
  perform weir.record_event('lifecycle', v_operation.organization_id, p_instance_id => v_operation.instance_id,
                            p_item => v_operation.action, p_detail => coalesce(nullif(weir.failure_detail(v_code, v_error), ''), p_outcome),
                            p_outcome => case p_outcome when 'done' then 'ok' else 'failed' end);
  return true;
end;
$$;
grant execute on function weir.record_operation to weir_engine;

reset role;
