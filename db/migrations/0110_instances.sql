-- The moves that an instance's state may make. One table; docs/ draws it.
create table weir.instance_moves (
  from_status text not null,
  to_status text not null,
  constraint instance_moves_pkey primary key (from_status, to_status)
);
alter table weir.instance_moves enable row level security, force row level security;
revoke all on weir.instance_moves from public, anon, authenticated, service_role;
comment on table weir.instance_moves is 'global: the allowed moves of an instance''s state';
create policy moves_are_read on weir.instance_moves for select to weir_writer, weir_system using (true);
grant select on weir.instance_moves to weir_writer, weir_system;
create policy moves_are_written_once on weir.instance_moves for insert to current_user with check (true);
insert into weir.instance_moves (from_status, to_status) values
  ('pending', 'deploying'), ('stopped', 'deploying'),
  ('failed', 'deploying'),                              -- a person tries again
  ('deploying', 'running'), ('updating', 'running'),
  ('running', 'degraded'), ('degraded', 'running'),
  ('failed', 'running'), ('failed', 'degraded'),        -- the node's own restart succeeded after all
  ('running', 'updating'), ('degraded', 'updating'), ('failed', 'updating'),
  ('running', 'stopping'), ('degraded', 'stopping'), ('failed', 'stopping'),
  ('deploying', 'stopping'), ('updating', 'stopping'),  -- what finds no node must be endable
  ('stopping', 'stopped'),
  ('pending', 'failed'), ('deploying', 'failed'), ('running', 'failed'), ('degraded', 'failed'), ('updating', 'failed'),
  ('stopping', 'failed'), ('stopped', 'failed'),
  ('pending', 'deleting'), ('stopped', 'deleting'), ('failed', 'deleting'), ('running', 'deleting'), ('degraded', 'deleting'),
  ('deploying', 'deleting'), ('updating', 'deleting'), ('stopping', 'deleting'),
  ('deleting', 'deleted');
drop policy moves_are_written_once on weir.instance_moves;

-- One organization's server. `generation` counts desired states: what a node says of an older one is ignored.
create table public.mcp_server_instances (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  catalog_id uuid,
  url text,
  configuration jsonb not null default '{}',
  status text not null default 'pending',
  share text not null default 'instance',
  -- of `share: session`, each a process; null: as many as its node gives an instance
  max_sessions integer,
  priority integer not null default 100,
  region text,
  pin_policy text not null default 'trust_first',
  chat_offline text[] not null default '{}',
  node_id uuid,
  -- where it ran last: its files are there
  last_node_id uuid,
  generation bigint not null default 1,
  -- rises with every restart and update: what replicas keep of the server from before is dropped
  resets bigint not null default 0,
  -- when what is wanted was last said anew to a node that was ahead, or had lost it (weir.reassert_instance)
  reasserted_at timestamptz,
  -- the generation in which an admin's update of the catalog version takes effect
  approved_generation bigint,
  last_error_code text,
  last_error text,
  first_running_at timestamptz,
  server_info jsonb,
  refreshed_generation bigint,
  refreshed_at timestamptz,
  -- when to ask next what it announces; while a replica asks, when its lease ends
  refresh_at timestamptz,
  refresh_by uuid,
  refresh_lease_until timestamptz,
  created_by uuid,
  deployed_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint mcp_server_instances_pkey primary key (id),
  constraint mcp_server_instances_organization_id_id_key unique (organization_id, id),
  constraint mcp_server_instances_name_is_1_to_20_of_a_z_0_9 check (name ~ '^[a-z0-9-]{1,20}$'),
  constraint mcp_server_instances_catalog_or_url check (num_nonnulls(catalog_id, url) = 1),
  constraint mcp_server_instances_url_is_http check (url ~ '^https?://[^/?#@\s]+([/?][^#\s]*)?$' and length(url) <= 2048),
  constraint mcp_server_instances_configuration_is_an_object check (jsonb_typeof(configuration) = 'object'),
  constraint mcp_server_instances_configuration_is_at_most_64_kib
    check (case when weir.bounds_error(configuration, 131072) is null then octet_length(configuration::text) <= 65536 else false end),
  constraint mcp_server_instances_status_is_known check (status in
    ('pending', 'deploying', 'running', 'degraded', 'updating', 'stopping', 'stopped', 'failed', 'deleting', 'deleted')),
  constraint mcp_server_instances_share_is_known check (share in ('instance', 'credential', 'session')),
  constraint mcp_server_instances_max_sessions_is_1_to_1024 check (max_sessions between 1 and 1024),
  constraint mcp_server_instances_priority_is_0_to_1000 check (priority between 0 and 1000),
  constraint mcp_server_instances_pin_policy_is_known check (pin_policy in ('trust_first', 'manual')),
  constraint mcp_server_instances_failed_says_why check (status <> 'failed' or last_error_code is not null),
  constraint mcp_server_instances_errors_are_short check (length(last_error_code) <= 100 and length(last_error) <= 2000),
  constraint mcp_server_instances_organization
    foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint mcp_server_instances_catalog foreign key (catalog_id) references public.mcp_server_catalog (id),
  constraint mcp_server_instances_node foreign key (node_id) references weir.dtma_nodes (id),
  constraint mcp_server_instances_last_node foreign key (last_node_id) references weir.dtma_nodes (id),
  constraint mcp_server_instances_created_by foreign key (created_by) references auth.users (id) on delete set null,
  constraint mcp_server_instances_deployed_by foreign key (deployed_by) references auth.users (id) on delete set null
);
alter table public.mcp_server_instances enable row level security, force row level security;
revoke all on public.mcp_server_instances from public, anon, authenticated, service_role;
comment on table public.mcp_server_instances is 'tenant: an organization''s MCP server, run by a node or remote by URL';
create unique index mcp_server_instances_name_key on public.mcp_server_instances (organization_id, name)
  where status not in ('deleting', 'deleted');
create index mcp_server_instances_status_idx on public.mcp_server_instances (organization_id, status);
create index mcp_server_instances_catalog_idx on public.mcp_server_instances (catalog_id);
create index mcp_server_instances_node_idx on public.mcp_server_instances (node_id);
create index mcp_server_instances_last_node_idx on public.mcp_server_instances (last_node_id);
create index mcp_server_instances_created_by_idx on public.mcp_server_instances (created_by);
create index mcp_server_instances_deployed_by_idx on public.mcp_server_instances (deployed_by);
