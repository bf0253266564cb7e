-- What replicas read for open streams: where servers are, and whether a subscriber may still read.

set local role weir_system;

-- Where running instances are reached. The replica gets no content from this; it only learns that a list changed, and each client's list is
-- read separately. An instance that does not run has no row. Definer: replicas listen to servers of all organizations.
create function weir.instance_endpoints(p_instance_ids uuid[])
returns table (instance_id uuid, instance_name text, endpoint_url text, node_id uuid, share text, resets bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select i.id, i.instance_name, weir.endpoint_url(i.url, n.api_url, i.id), i.node_id, i.share, i.resets
  from unnest(p_instance_ids) w(id)
  join lateral (select x.* from public.mcp_server_instances x where x.id = w.id and x.status in ('running', 'degraded') offset 0) i on true
  left join lateral (select x.api_url from weir.dtma_nodes x where x.id = i.node_id offset 0) n on true;
end;
$$;
grant execute on function weir.instance_endpoints to weir_engine;

-- Whether an agent may still read the resources to which its client has subscribed: a boolean for each, in the order of the arguments.
-- weir.decide decides, as for a read, but nothing is read, so nothing is recorded. p_locked is null because the answer only informs. An
-- unavailable server does not change the permission. Definer: the verified key, or the person, identifies the rows.
create function weir.may_read(
  p_key_id text, p_secret_hash bytea, p_user_id uuid, p_agent_id uuid, p_instance_ids uuid[], p_uris text[]) returns boolean[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_each constant integer[] := array[cardinality(p_uris)];
begin
  if cardinality(p_uris) is distinct from cardinality(p_instance_ids) then
    raise exception using errcode = 'WR001', message = 'p_uris must have one element for each of p_instance_ids';
  end if;
  return array(
    select d.failures <@ '{unavailable}'
    from unnest((weir.decide(
      array_fill(p_key_id, v_each), array_fill(p_secret_hash, v_each), array_fill(p_user_id, v_each), array_fill(p_agent_id, v_each),
      array_fill('resource_read'::text, v_each), p_instance_ids, p_uris, array_fill(null::text, v_each), null)).calls) d
    -- The order of weir.decide's calls is not defined.
    order by d.ordinal);
end;
$$;
grant execute on function weir.may_read to weir_engine;

reset role;
