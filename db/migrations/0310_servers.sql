-- Server instances of organizations, and the transitions between their states.

-- The state machine as data, so that the guard, the worker and docs/nodes.md share one list. A transition that is not listed here is
-- refused, whether a function or direct SQL writes.
create table weir.instance_moves (
  from_status text not null,
  to_status text not null,
  constraint instance_moves_pkey primary key (from_status, to_status)
);
alter table weir.instance_moves enable row level security, force row level security;
revoke all on weir.instance_moves from public, anon, authenticated, service_role;
comment on table weir.instance_moves is 'global: the allowed transitions between the states of an instance';

-- Functions that change the state of instances read it. Nothing writes it after this migration.
create policy moves_are_read on weir.instance_moves for select to weir_writer, weir_system using (true);
grant select on weir.instance_moves to weir_writer, weir_system;

-- Row-level security is forced on the migrator too. The policy lets it insert the moves, and is dropped after that.
create policy moves_are_written_once on weir.instance_moves for insert to current_user with check (true);
insert into weir.instance_moves (from_status, to_status) values
  ('pending', 'deploying'), ('stopped', 'deploying'),
  ('failed', 'deploying'),                              -- a person tries again
  ('deploying', 'running'), ('updating', 'running'),
  ('running', 'degraded'), ('degraded', 'running'),
  ('failed', 'running'), ('failed', 'degraded'),        -- the node's own restart succeeded after all
  ('running', 'updating'), ('degraded', 'updating'), ('failed', 'updating'),
  ('running', 'stopping'), ('degraded', 'stopping'), ('failed', 'stopping'),
  ('deploying', 'stopping'), ('updating', 'stopping'),  -- an instance that is not placed yet can be stopped too
  ('stopping', 'stopped'),
  ('stopping', 'deploying'),                            -- switched on again before it had stopped
  ('pending', 'failed'), ('deploying', 'failed'), ('running', 'failed'), ('degraded', 'failed'), ('updating', 'failed'),
  ('stopping', 'failed'), ('stopped', 'failed'),
  ('pending', 'deleting'), ('stopped', 'deleting'), ('failed', 'deleting'), ('running', 'deleting'), ('degraded', 'deleting'),
  ('deploying', 'deleting'), ('updating', 'deleting'), ('stopping', 'deleting'),
  ('deleting', 'deleted');
drop policy moves_are_written_once on weir.instance_moves;

-- A report of a node or a worker on an older generation is ignored, so a late answer cannot undo what was requested since. A deleted
-- instance stays as a row (weir.bury_instance), so that the ids in the audit log still refer to something.
create table public.mcp_server_instances (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  -- At most 20 characters, because it is the prefix of each tool name that a client sees, and clients limit those.
  instance_name text not null,
  -- Either an entry of the catalog, run by a node, or the URL of a remote server.
  catalog_server_id uuid,
  url text,
  -- The address at Weir by which clients reach it, never the server's own. Kept by the triggers address_of_instance and
  -- addresses_of_instances; null while the setting public_url is absent.
  endpoint_url text,
  -- Checked against the entry's configuration_schema; holds no secrets in this release. It is sent to the node, and neither to the outbox
  -- nor to the audit log.
  configuration jsonb not null default '{}',
  status text not null default 'pending',
  -- Who shares one process: all callers (`instance`), those with one credential (`credential`; this release has none), or
  -- one session. Never two organizations.
  share text not null default 'instance',
  -- With `share: session`, each session has a process of its own; this is the maximum. Null: the node's maximum for one instance.
  max_sessions integer,
  -- The lower number comes first: in lists, and if two servers offer chat the same tool or resource.
  priority integer not null default 100,
  -- Preferred by placement, but not required; null: no preference.
  region text,
  -- `trust_first` approves the names that are announced in the ten minutes after first_running_at; `manual` approves nothing automatically
  -- (weir.record_definitions).
  pin_policy text not null default 'trust_first',
  -- Globs of the tools that chat's offline model may call.
  chat_offline text[] not null default '{}',
  -- The node that it is placed on. Null for a remote server, and while it is stopped or waits for a node.
  node_id uuid,
  -- The node on which it ran last. Its files are there, so it is placed there again if possible, and a deletion is sent there.
  last_node_id uuid,
  -- Counts the desired states. Rises with every deployment, update, stop and deletion.
  generation bigint not null default 1,
  -- Rises with every restart and update. Replicas then drop the sessions and lists that they cached before.
  resets bigint not null default 0,
  -- When a desired state was last sent again to a node that was ahead of this database or had lost the instance. It limits
  -- weir.reassert_instance to once a minute.
  reasserted_at timestamptz,
  -- The generation in which an admin's update of the catalog version takes effect. The definitions that the new version announces first are
  -- approved with it.
  approved_generation bigint,
  -- Null while there is no error. Cleared when the instance runs or a new state is requested. The code is one of weir.failure_codes.
  -- last_error is Weir's own sentence, for admins, and contains no output of a server or a program.
  last_error_code text,
  last_error text,
  -- The progress of a deployment or update, and since when. Null before a node or a worker has begun, and in every other state
  -- (weir.guard_instance).
  phase text,
  phase_since timestamptz,
  -- When an admin or the platform switched it off, and who did (weir.set_mcp_server_active): two switches, as agents have. This is not the
  -- status `stopped`, which a deployment ends.
  stopped_at timestamptz,
  stopped_by uuid,
  platform_stopped_at timestamptz,
  platform_stopped_by uuid,
  is_active boolean not null generated always as (stopped_at is null and platform_stopped_at is null) stored,
  -- True if a switch stopped it while it ran, so the switch starts it again.
  resumes boolean not null default false,
  first_running_at timestamptz,
  -- What the server stated about itself in its last handshake, for people.
  server_info jsonb,
  -- The capabilities that the server announced in its last handshake; null: no handshake has succeeded yet.
  capabilities jsonb,
  -- The generation in which its lists were last read, and when; null: never.
  refreshed_generation bigint,
  refreshed_at timestamptz,
  -- When to read its lists again. While a replica (refresh_by) reads them, this is the end of its lease, so that another replica takes over
  -- if it dies.
  refresh_at timestamptz,
  refresh_by uuid,
  refresh_lease_until timestamptz,
  -- What the server adds to a chat turn. Each fetch is a governed call of the turn, so their number is bounded.
  context_resources text[] not null default '{}',
  context_prompts text[] not null default '{}',
  -- The timeout of each call, in milliseconds. Null: the longest that any call may take; in a chat turn's context, what is left of the
  -- server's share of the gather budget. 0 only keeps the server out of chat.
  timeout_ms integer,
  max_retries integer not null default 1,
  retry_backoff_ms integer not null default 100,
  -- Null after that user was deleted. The same holds for deployed_by, who last requested a deployment or an update.
  created_by uuid,
  deployed_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint mcp_server_instances_pkey primary key (id),
  -- The target of composite foreign keys: a grant, a definition or an operation names the instance's organization with it.
  constraint mcp_server_instances_organization_id_id_key unique (organization_id, id),
  constraint mcp_server_instances_name_is_1_to_20_of_a_z_0_9 check (instance_name ~ '^[a-z0-9-]{1,20}$'),
  constraint mcp_server_instances_catalog_or_url check (num_nonnulls(catalog_server_id, url) = 1),
  -- Without a user, a password or a fragment. The gateway checks the permitted hosts when it connects.
  constraint mcp_server_instances_url_is_http check (url ~ '^https?://[^/?#@\s]+([/?][^#\s]*)?$' and length(url) <= 2048),
  constraint mcp_server_instances_configuration_is_an_object check (jsonb_typeof(configuration) = 'object'),
  -- `case` fixes the order: only a value within bounds may become text (weir.bounds_error).
  constraint mcp_server_instances_configuration_is_at_most_64_kib
    check (case when weir.bounds_error(configuration, 131072) is null then octet_length(configuration::text) <= 65536 else false end),
  constraint mcp_server_instances_status_is_known check (status in
    ('pending', 'deploying', 'running', 'degraded', 'updating', 'stopping', 'stopped', 'failed', 'deleting', 'deleted')),
  constraint mcp_server_instances_share_is_known check (share in ('instance', 'credential', 'session')),
  constraint mcp_server_instances_max_sessions_is_1_to_1024 check (max_sessions between 1 and 1024),
  constraint mcp_server_instances_priority_is_0_to_1000 check (priority between 0 and 1000),
  constraint mcp_server_instances_pin_policy_is_known check (pin_policy in ('trust_first', 'manual')),
  -- A failure without a cause would tell an admin nothing.
  constraint mcp_server_instances_failed_says_why check (status <> 'failed' or last_error_code is not null),
  constraint mcp_server_instances_errors_are_short check (length(last_error_code) <= 100 and length(last_error) <= 2000),
  constraint mcp_server_instances_phase_is_known check (phase in ('installing', 'starting', 'handshake', 'listing')),
  constraint mcp_server_instances_phase_has_begun check ((phase is null) = (phase_since is null)),
  constraint mcp_server_instances_context_is_ten_of_each
    check (cardinality(context_resources) <= 10 and cardinality(context_prompts) <= 10),
  constraint mcp_server_instances_timeout_is_at_most_an_hour check (timeout_ms between 0 and 3600000),
  constraint mcp_server_instances_retries_are_0_to_5 check (max_retries between 0 and 5),
  constraint mcp_server_instances_backoff_is_at_most_ten_seconds check (retry_backoff_ms between 0 and 10000),
  constraint mcp_server_instances_organization
    foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- These do not cascade: catalog entries and nodes are never deleted while an instance names them.
  constraint mcp_server_instances_catalog foreign key (catalog_server_id) references public.mcp_server_catalog (id),
  constraint mcp_server_instances_node foreign key (node_id) references weir.dtma_nodes (id),
  constraint mcp_server_instances_last_node foreign key (last_node_id) references weir.dtma_nodes (id),
  constraint mcp_server_instances_created_by foreign key (created_by) references auth.users (id) on delete set null,
  constraint mcp_server_instances_deployed_by foreign key (deployed_by) references auth.users (id) on delete set null
);
alter table public.mcp_server_instances enable row level security, force row level security;
revoke all on public.mcp_server_instances from public, anon, authenticated, service_role;
comment on table public.mcp_server_instances is 'tenant: an organization''s MCP server, run by a node or remote by URL';
-- A name is free again as soon as the deletion of its instance begins.
create unique index mcp_server_instances_name_key on public.mcp_server_instances (organization_id, instance_name)
  where status not in ('deleting', 'deleted');
-- For the organization's lists and quotas, which leave out what is deleted.
create index mcp_server_instances_status_idx on public.mcp_server_instances (organization_id, status);
create index mcp_server_instances_catalog_idx on public.mcp_server_instances (catalog_server_id);
-- For heartbeats and placement, which read the instances of a node.
create index mcp_server_instances_node_idx on public.mcp_server_instances (node_id);
create index mcp_server_instances_last_node_idx on public.mcp_server_instances (last_node_id);
create index mcp_server_instances_created_by_idx on public.mcp_server_instances (created_by);
create index mcp_server_instances_deployed_by_idx on public.mcp_server_instances (deployed_by);

-- Members see that a server exists, and its state. Configuration, address, node and the error's text are not granted:
-- get_organization_mcp_configs returns what each role may see.
create policy instances_are_seen_by_members on public.mcp_server_instances for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
-- Admins write through the functions of weir_writer. An instance begins as `pending`, so its first deployment is an operation of the
-- outbox.
create policy instances_are_created_by_admins on public.mcp_server_instances for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin')))
              and created_by = (select weir.actor_id()) and status = 'pending');
create policy instances_are_changed_by_admins on public.mcp_server_instances for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))))
  with check (organization_id = any(array(select weir.my_organizations('admin'))));
-- weir_system writes what was observed (status, placement, errors, lists). It never inserts or deletes an instance.
create policy instances_are_kept_by_the_engine on public.mcp_server_instances for all to weir_system using (true) with check (true);
grant select (id, organization_id, instance_name, catalog_server_id, endpoint_url, status, share, max_sessions, priority, region,
        pin_policy, last_error_code, phase, phase_since, created_by, created_at, updated_at, stopped_at, stopped_by, platform_stopped_at,
        is_active) on public.mcp_server_instances to authenticated;
grant select,
      insert (id, organization_id, instance_name, catalog_server_id, url, configuration, share, max_sessions, priority, region, pin_policy,
        chat_offline, created_by, context_resources, context_prompts, timeout_ms, max_retries, retry_backoff_ms),
      update (instance_name, catalog_server_id, url, configuration, share, max_sessions, priority, region, pin_policy, chat_offline,
        approved_generation, status, generation, resets, last_error_code, last_error, deployed_by, context_resources, context_prompts,
        timeout_ms, max_retries, retry_backoff_ms, stopped_at, stopped_by, resumes) on public.mcp_server_instances to weir_writer;
grant select,
      update (status, node_id, last_node_id, configuration, last_error_code, last_error, phase, phase_since, first_running_at, server_info,
        capabilities, refreshed_generation, refreshed_at, refresh_at, refresh_by, refresh_lease_until, generation, resets, reasserted_at,
        endpoint_url, platform_stopped_at, platform_stopped_by, resumes)
  on public.mcp_server_instances to weir_system;

-- Permits only a transition of weir.instance_moves, and never a change of the organization, whether a function or direct SQL writes. Clears
-- the phase in states that have none.
-- Not a security definer: the table of transitions is readable by all who may update.
create function weir.guard_instance() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.organization_id <> old.organization_id then
    raise exception using errcode = 'WR005', message = 'a server cannot move to another organization';
  end if;
  if new.status <> old.status
     and not exists (select from weir.instance_moves m where m.from_status = old.status and m.to_status = new.status) then
    raise exception using errcode = 'WR005',
      message = format('a server cannot change from %s to %s', old.status, new.status);
  end if;
  -- This includes a new deployment: the phase of an earlier generation is not valid any more.
  if new.status not in ('deploying', 'updating') or new.generation <> old.generation then
    new.phase := null;
    new.phase_since := null;
  end if;
  new.updated_at := now();
  return new;
end;
$$;

-- After a restart or an update the server's lists are read again at once, even while a replica is reading them, because that replica may
-- get the lists from before.
create function weir.on_instance_reset() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.refresh_at := clock_timestamp();
  new.refresh_lease_until := null;
  return new;
end;
$$;

-- An instance's address follows its name.
create function weir.set_endpoint_url() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.endpoint_url := weir.public_url() || '/mcp/' || new.instance_name;
  return new;
end;
$$;

-- The address at which Weir reaches an instance. It is derived, and never stored from an answer of a node. The id becomes text by a cast:
-- `||` with a uuid is only stable, and then this function could not be inlined and would be planned for each call.
create function weir.endpoint_url(p_url text, p_node_api_url text, p_instance_id uuid) returns text
language sql immutable parallel safe
  return coalesce(p_url, p_node_api_url || '/v1/servers/' || p_instance_id::text || '/mcp');

revoke all on function weir.guard_instance, weir.on_instance_reset, weir.endpoint_url, weir.set_endpoint_url from public;
grant execute on function weir.endpoint_url to weir_system;

-- It fires first, because triggers fire in the order of their names: a refused change must not take the organization's lock (b_).
create trigger a_guard_instance before update on public.mcp_server_instances
  for each row execute function weir.guard_instance();
create trigger b_instance_change before insert or delete on public.mcp_server_instances
  for each row execute function weir.on_permission_change();
-- Only for columns that a decision or a replica's snapshot reads. Reading an instance's lists updates its row often, and
-- must not block calls.
create trigger b_instance_update before update on public.mcp_server_instances
  for each row
  when ((old.organization_id, old.instance_name, old.catalog_server_id, old.url, old.status, old.share, old.priority, old.node_id,
         old.chat_offline, old.resets, old.stopped_at, old.platform_stopped_at)
        is distinct from
        (new.organization_id, new.instance_name, new.catalog_server_id, new.url, new.status, new.share, new.priority, new.node_id,
         new.chat_offline, new.resets, new.stopped_at, new.platform_stopped_at))
  execute function weir.on_permission_change();
-- Replicas keep the timeout with an agent's tools, so a change of it counts as a change of permissions.
create trigger b_instance_timeout_update before update on public.mcp_server_instances
  for each row when (old.timeout_ms is distinct from new.timeout_ms) execute function weir.on_permission_change();
create trigger c_instance_reset before update on public.mcp_server_instances
  for each row when (new.resets is distinct from old.resets) execute function weir.on_instance_reset();
create trigger address_of_instance before insert or update of instance_name on public.mcp_server_instances
  for each row execute function weir.set_endpoint_url();
create trigger not_truncated before truncate on public.mcp_server_instances for each statement execute function weir.refuse_truncate();
