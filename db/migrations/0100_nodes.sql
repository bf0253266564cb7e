-- The platform's machines: nodes, which run servers, and replicas, which are the gateway's processes. No API role reads or
-- writes either; every function here is the engine's.

-- A node registers with a one-time token and then presents a key of its own (weir.register_node). It may speak only of
-- instances that are placed on it. Rows are not deleted, because instances refer to them.
create table weir.dtma_nodes (
  id uuid not null default weir.uuid_v7(),
  name text not null,
  -- Placement prefers the instance's region and does not insist on it (weir.choose_node).
  region text not null default 'default',
  -- Null once the token was used, and where a restore has taken it away.
  token_hash bytea,
  token_expires_at timestamptz,
  -- Null until the node has registered, and while it must register again. Otherwise everything that a call to it needs is
  -- set, except the address (dtma_nodes_registered_with_key).
  registered_at timestamptz,
  -- Of the key by which the node speaks to Weir. Unique, so that a key names one node.
  key_hash bytea,
  -- Null after a restore, until the node itself has said where it is (weir.begin_epoch): a copy of a database must not
  -- command the original's nodes. Calls go to an address derived from this one (weir.endpoint_url), never to one from a
  -- node's answer.
  api_url text,
  -- The key by which Weir speaks to the node, sealed with the keyring and bound to the node's id. The database cannot open
  -- it.
  sealed_api_key bytea,
  -- Of the contract between Weir and nodes: rises with each change that the other side can notice.
  capability_version integer,
  -- `none`: the node runs every server as one user, so it serves a single organization.
  isolation text,
  runtimes text[] not null default '{}',
  -- What placement and the state of instances go by: true with each heartbeat, false when the node is silent for too long
  -- (weir.sweep_nodes) or its port is closed (weir.report_closed_node).
  is_online boolean not null default false,
  heartbeat_at timestamptz,
  -- The last heartbeat's report, for people; nothing is decided by it.
  status jsonb,
  created_at timestamptz not null default now(),
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
-- Nodes belong to the platform, so only weir_system has privileges; the updated columns are those of registration and
-- heartbeats. The name is not among them.
create policy nodes_are_kept_by_the_engine on weir.dtma_nodes for all to weir_system using (true) with check (true);
grant select,
      insert (id, name, region, token_hash, token_expires_at),
      update (region, token_hash, token_expires_at, registered_at, key_hash, api_url, sealed_api_key, capability_version, isolation,
              runtimes, is_online, heartbeat_at, status)
  on weir.dtma_nodes to weir_system;

-- So that a replica finds the one that holds a stream or a parked call. Rows of replicas that have been silent for an hour
-- are deleted (weir.replica_heartbeat); those of the last 30 seconds count as alive (weir.live_replicas).
create table weir.replicas (
  id uuid not null,
  internal_url text not null,
  version text not null,
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  constraint replicas_pkey primary key (id),
  constraint replicas_internal_url_is_http check (internal_url ~ '^https?://[^/?#@]+$')
);
alter table weir.replicas enable row level security, force row level security;
revoke all on weir.replicas from public, anon, authenticated, service_role;
comment on table weir.replicas is 'platform: the gateway''s processes and where they listen for each other';
-- Internal addresses are the engine's alone.
create policy replicas_are_kept_by_the_engine on weir.replicas for all to weir_system using (true) with check (true);
grant select, insert (id, internal_url, version), update (internal_url, version, heartbeat_at), delete
  on weir.replicas to weir_system;
