-- A node whose port is closed, as a call finds it: nothing listens where its API was, so what ran there does not run.

alter table weir.dtma_nodes add column closed_at timestamptz;
comment on column weir.dtma_nodes.closed_at is 'when a replica last found its port closed and was believed';
grant update (closed_at) on weir.dtma_nodes to weir_system;

-- One replica's word, which may be wrong: between it and the node may be a firewall that refuses, or a proxy. What speaks for the node is its
-- heartbeat, which comes by any replica; so the word counts only where no heartbeat came since the replica looked, and where it
-- looked at the address that the node has now. The next heartbeat takes it back. A node that has lived on after such a word
-- within ten minutes is not doubted by a word alone again: then it must have missed a heartbeat too. So a replica
-- that cannot reach a healthy node can mark it offline once in ten minutes, for five seconds at most, and a node that really dies twice
-- is found a few seconds later.
-- p_ago: when the replica looked; p_quiet: longer than a heartbeat takes to come. Whether it was believed.
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
  -- what runs on nodes that are offline is not known to run; no other node is that silent and online
  perform weir.sweep_nodes('1 day');
  return true;
end;
$$;
revoke all on function weir.report_closed_node(uuid, text, interval, interval) from public;
grant execute on function weir.report_closed_node(uuid, text, interval, interval) to weir_engine;

grant create on schema weir to weir_system;
alter function weir.report_closed_node(uuid, text, interval, interval) owner to weir_system;
revoke create on schema weir from weir_system;
