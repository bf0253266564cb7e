-- Hosts that run servers. A node registers with a one-time token, then speaks with its own key, of its own instances only.
create table weir.dtma_nodes (
  id uuid not null default weir.uuid_v7(),
  name text not null,
  region text not null default 'default',
  token_hash bytea,
  token_expires_at timestamptz,
  registered_at timestamptz,
  key_hash bytea,
  -- null after a restore, until the node itself has said where it is (weir.begin_epoch)
  api_url text,
  sealed_api_key bytea,
  capability_version integer,
  isolation text,
  runtimes text[] not null default '{}',
  is_online boolean not null default false,
  heartbeat_at timestamptz,
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
  constraint dtma_nodes_api_url_is_http check (api_url ~ '^https?://[^/?#@]+$'),
  constraint dtma_nodes_registered_with_key
    check (registered_at is null or num_nulls(key_hash, sealed_api_key, isolation, capability_version) = 0)
);
alter table weir.dtma_nodes enable row level security, force row level security;
revoke all on weir.dtma_nodes from public, anon, authenticated, service_role;
comment on table weir.dtma_nodes is 'platform: hosts that run servers, with the sealed key of their API';
create policy nodes_are_kept_by_the_engine on weir.dtma_nodes for all to weir_system using (true) with check (true);
grant select,
      insert (id, name, region, token_hash, token_expires_at),
      update (region, token_hash, token_expires_at, registered_at, key_hash, api_url, sealed_api_key, capability_version, isolation, runtimes,
              is_online, heartbeat_at, status)
  on weir.dtma_nodes to weir_system;

-- The gateway's processes, so that one finds another that holds a stream.
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
create policy replicas_are_kept_by_the_engine on weir.replicas for all to weir_system using (true) with check (true);
grant select, insert (id, internal_url, version), update (internal_url, version, heartbeat_at), delete
  on weir.replicas to weir_system;
