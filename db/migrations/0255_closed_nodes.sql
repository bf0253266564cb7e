-- A call finds that nothing listens at a node's port. Then its servers are lost at once, without waiting for missed heartbeats.

alter table weir.dtma_nodes add column closed_at timestamptz;
comment on column weir.dtma_nodes.closed_at is 'when a replica last found its port closed and was believed';
grant update (closed_at) on weir.dtma_nodes to weir_system;

-- Takes a replica's report that a node's port is closed. Returns whether it was believed. The report may be wrong, because a
-- firewall or a proxy may stand between that replica and the node. The node's heartbeat, which comes through any replica, is the
-- better evidence. So the report counts only if no heartbeat came since the replica looked, and if it looked at the address that
-- the node has now. The next heartbeat reverses it. For ten minutes after such a report another one alone is not enough: the node
-- must have missed a heartbeat too.
-- So a replica that cannot reach a healthy node marks it offline at most once in ten minutes, for five seconds at most, and a
-- node that really dies twice is found a few seconds later.
-- p_ago: how long ago the replica looked. p_quiet: longer than a heartbeat takes to arrive. Definer: nodes belong to the
-- platform, and their instances to any organization.
create function weir.report_closed_node(p_node_id uuid, p_api_url text, p_ago interval, p_quiet interval) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update weir.dtma_nodes n set is_online = false, closed_at = clock_timestamp()
  where n.id = p_node_id and n.is_online and n.api_url = p_api_url
    and n.heartbeat_at < clock_timestamp() - p_ago
    and (n.closed_at is null or n.closed_at < clock_timestamp() - interval '10 minutes' or n.heartbeat_at < clock_timestamp() - p_quiet);
  if not found then
    return false;
  end if;
  -- Degrades what runs on offline nodes. No online node is silent for a day, so no other node is marked by this.
  perform weir.sweep_nodes('1 day');
  return true;
end;
$$;
revoke all on function weir.report_closed_node(uuid, text, interval, interval) from public;
grant execute on function weir.report_closed_node(uuid, text, interval, interval) to weir_engine;

grant create on schema weir to weir_system;
alter function weir.report_closed_node(uuid, text, interval, interval) owner to weir_system;
revoke create on schema weir from weir_system;
