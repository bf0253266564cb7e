-- Nodes: the machines that run servers. A node registers with a one-time token, and authenticates by a key afterwards.

-- A node registers with a one-time token and then presents a key of its own (weir.register_node). It may report only on instances that are
-- placed on it. Rows are not deleted, because instances refer to them.
create table weir.dtma_nodes (
  id uuid not null default weir.uuid_v7(),
  name text not null,
  -- Placement prefers the instance's region but does not require it (weir.choose_node).
  region text not null default 'default',
  -- Null after the token was used, or after a restore removed it.
  token_hash bytea,
  token_expires_at timestamptz,
  -- Null until the node has registered, and while it must register again. Otherwise everything that a call to it needs is set, except the
  -- address (dtma_nodes_registered_with_key).
  registered_at timestamptz,
  -- The hash of the key by which the node authenticates to Weir. Unique, so that a key names one node.
  key_hash bytea,
  -- Null after a restore, until the node itself reports its address (weir.begin_epoch): a copy of a database must not command the
  -- original's nodes. Calls go to an address derived from this one (weir.endpoint_url), never to one from a node's answer.
  api_url text,
  -- The key by which Weir authenticates to the node, sealed with the keyring and bound to the node's id. The database cannot open it.
  sealed_api_key bytea,
  -- The version of the contract between Weir and nodes. It rises with each change that the other side can notice.
  capability_version integer,
  -- `none`: the node runs every server as one user, so it serves a single organization.
  isolation text,
  runtimes text[] not null default '{}',
  -- What placement and the state of instances depend on: true with each heartbeat, false when the node is silent for too long
  -- (weir.sweep_nodes) or its port is closed (weir.report_closed_node).
  is_online boolean not null default false,
  heartbeat_at timestamptz,
  -- The last heartbeat's report, for people; no decision depends on it.
  status jsonb,
  created_at timestamptz not null default now(),
  closed_at timestamptz,
  constraint dtma_nodes_pkey primary key (id),
  constraint dtma_nodes_name_key unique (name),
  constraint dtma_nodes_token_hash_key unique (token_hash),
  constraint dtma_nodes_key_hash_key unique (key_hash),
  constraint dtma_nodes_name_is_plain check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  constraint dtma_nodes_region_is_plain check (region ~ '^[a-z0-9][a-z0-9-]{0,49}$'),
  constraint dtma_nodes_isolation_is_known check (isolation in ('none', 'user', 'container')),
  constraint dtma_nodes_hashes_are_sha256 check (octet_length(token_hash) = 32 and octet_length(key_hash) = 32),
  constraint dtma_nodes_token_expires check (token_hash is null or token_expires_at is not null),
  -- An origin only, so that a path appended to it stays on that host.
  constraint dtma_nodes_api_url_is_http check (api_url ~ '^https?://[^/?#@]+$'),
  constraint dtma_nodes_registered_with_key
    check (registered_at is null or num_nulls(key_hash, sealed_api_key, isolation, capability_version) = 0)
);
alter table weir.dtma_nodes enable row level security, force row level security;
revoke all on weir.dtma_nodes from public, anon, authenticated, service_role;
comment on table weir.dtma_nodes is 'platform: hosts that run servers, with the sealed key of their API';
comment on column weir.dtma_nodes.closed_at is 'when a replica last reported its port as closed and the report was accepted';

-- Nodes belong to the platform, so only weir_system has privileges. It updates the columns of registration and heartbeats. The name is not
-- among them.
create policy nodes_are_kept_by_the_engine on weir.dtma_nodes for all to weir_system using (true) with check (true);
grant select,
      insert (id, name, region, token_hash, token_expires_at),
      update (region, token_hash, token_expires_at, registered_at, key_hash, api_url, sealed_api_key, capability_version, isolation,
        runtimes, is_online, heartbeat_at, status, closed_at) on weir.dtma_nodes to weir_system;

set local role weir_system;

-- Creates a node, or a new token for one that has not registered or that lost its key in a restore. Only the newest token is valid. The id
-- stays, and so does what is placed on the node. The name of a registered node cannot be used again (WR005). Only the token's hash is
-- stored.
create function weir.issue_node_token(p_name text, p_region text, p_token_hash bytea, p_expires_at timestamptz) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid;
begin
  insert into weir.dtma_nodes as n (id, name, region, token_hash, token_expires_at)
  values (weir.uuid_v7(), p_name, coalesce(p_region, 'default'), p_token_hash, p_expires_at)
  on conflict (name) do update
    set token_hash = excluded.token_hash, token_expires_at = excluded.token_expires_at, region = coalesce(p_region, n.region)
    where n.registered_at is null
  returning n.id into v_id;
  if v_id is null then
    raise exception using errcode = 'WR005', message = 'a node with this name is registered: choose another name';
  end if;
  return v_id;
exception
  -- The table's constraints are the validation. The caller gets an error of the closed list.
  when check_violation or not_null_violation then
    raise exception using errcode = 'WR001', message = 'name, region, token hash or expiry is not valid';
end;
$$;
grant execute on function weir.issue_node_token to weir_engine;

-- Registers a node with its one-time token. The statement that finds the token also uses it, so if two nodes send one token, one registers.
-- Null if the token is not valid; that is not an error, because anybody can send a token, and each error would be written to PostgreSQL's
-- log. The node states its address; the replica has sealed the key of its API.
create function weir.register_node(
  p_token_hash bytea, p_node_key_hash bytea, p_api_url text, p_sealed_api_key bytea, p_capability_version integer,
  p_isolation text, p_runtimes text[]) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid;
begin
  update weir.dtma_nodes n
  set token_hash = null, registered_at = now(), key_hash = p_node_key_hash, api_url = p_api_url, sealed_api_key = p_sealed_api_key,
      capability_version = p_capability_version, isolation = p_isolation, runtimes = coalesce(p_runtimes, '{}'),
      is_online = true, heartbeat_at = now()
  where n.token_hash = p_token_hash and n.token_expires_at > clock_timestamp()
  returning n.id into v_id;
  return v_id;
end;
$$;
grant execute on function weir.register_node to weir_engine;

-- The node of a key, or null. A replica calls this before it reads anything that the bearer sends. An unknown key is not an error.
create function weir.node_of_key(p_node_key_hash bytea) returns uuid
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select n.id from weir.dtma_nodes n where n.key_hash = p_node_key_hash and n.registered_at is not null
$$;
grant execute on function weir.node_of_key to weir_engine;

-- Registered nodes and how to reach them. api_url is null for a node that has not sent a heartbeat since a restore (weir.begin_epoch). The
-- keys of their APIs are sealed; only a replica's keyring opens them.
create function weir.node_connections()
returns table (node_id uuid, name text, api_url text, sealed_api_key bytea, online boolean)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select n.id, n.name, n.api_url, n.sealed_api_key, n.is_online
               from weir.dtma_nodes n where n.registered_at is not null order by n.name;
end;
$$;
grant execute on function weir.node_connections to weir_engine;

-- Marks nodes offline that have been silent for longer than p_stale, and sets what ran there to degraded, because its state is unknown.
-- Returns how many nodes went offline. It stops after half a second; the next sweep finds instances that are still `running` on an offline
-- node.
create function weir.sweep_nodes(p_stale interval) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_nodes uuid[];
  v_instance record;
  v_until constant timestamptz := clock_timestamp() + interval '500 milliseconds';
begin
  with lost as (
    update weir.dtma_nodes n set is_online = false
    where n.is_online and n.heartbeat_at < clock_timestamp() - p_stale
    returning n.id)
  select coalesce(array_agg(l.id), '{}') into v_nodes from lost l;
  -- In the order of organizations, which is the order of their locks.
  for v_instance in
    select i.id, i.generation from public.mcp_server_instances i
    join weir.dtma_nodes n on n.id = i.node_id and not n.is_online
    where i.status = 'running' order by i.organization_id, i.id
  loop
    perform weir.apply_report(v_instance.id, v_instance.generation, 'degraded', 'node_lost', null, v_until);
    exit when clock_timestamp() > v_until;
  end loop;
  return cardinality(v_nodes);
end;
$$;
grant execute on function weir.sweep_nodes to weir_engine;

-- Takes a replica's report that a node's port is closed. Returns whether the report was accepted. The report may be wrong, because a
-- firewall or a proxy may stand between that replica and the node. The node's heartbeat, which comes through any replica, is better
-- evidence. So the report counts only if no heartbeat came since the replica tried to connect, and if it tried the address that the node
-- has now. The next heartbeat reverses it. For ten minutes after such a report another one alone is not enough: the node must have missed a
-- heartbeat too.
-- So a replica that cannot reach a healthy node marks it offline at most once in ten minutes, for five seconds at most, and a node that
-- really dies twice is detected a few seconds later.
-- p_ago: how long ago the replica tried. p_quiet: longer than a heartbeat takes to arrive. Definer: nodes belong to the platform, and their
-- instances to any organization.
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
  -- Sets what runs on offline nodes to degraded. No online node is silent for a day, so no other node is marked by this.
  perform weir.sweep_nodes('1 day');
  return true;
end;
$$;
grant execute on function weir.report_closed_node to weir_engine;

reset role;
