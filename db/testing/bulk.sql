-- A large world, for reading plans and for measuring. Run by a superuser, in a database that nothing else uses: triggers and foreign keys
-- are off while it is created. Ids are derived from numbers, so that a caller can compute any of them.
--   select bulk.populate(organizations => 1000, agents => 20, servers => 10, log_rows => 5000000);
create schema bulk;
grant usage on schema bulk to public;

create function bulk.id(p_what text, p_number bigint) returns uuid language sql immutable
  return md5(p_what || p_number::text)::uuid;
create function bulk.key_id(p_agent bigint) returns text language sql immutable
  return left(md5('key' || p_agent::text), 16);
create function bulk.secret_hash(p_agent bigint) returns bytea language sql immutable
  return sha256(convert_to('secret' || p_agent::text, 'UTF8'));

-- Organizations 0 … n-1. Organization o has the user o as its owner, the agents o * agents … and the servers o * servers …, each with ten
-- tools; every agent has one key, and a grant on every server: with an argument rule on tool_0, and on the organization's last server with
-- a limit. One workspace has them all as members. Organizations before `first` already exist.
create function bulk.populate(organizations integer, agents integer, servers integer, log_rows bigint, first integer default 0)
returns void
language plpgsql
as $$
begin
  set local session_replication_role = replica;
  insert into auth.users (id, email) select bulk.id('user', o),
    'user' || o || '@example.org' from generate_series(first, organizations - 1) o;
  insert into public.organizations (id, name, slug)
  select bulk.id('organization', o), 'Organization ' || o, 'organization-' || o from generate_series(first, organizations - 1) o;
  insert into public.organization_members (organization_id, user_id, role)
  select bulk.id('organization', o), bulk.id('user', o), 'owner' from generate_series(first, organizations - 1) o;
  insert into public.agents (id, organization_id, name, user_id, created_by)
  select bulk.id('agent', n), bulk.id('organization', n / agents), 'Agent ' || n, bulk.id('user', n / agents), bulk.id('user', n / agents)
  from generate_series(first * agents, organizations * agents - 1) n;
  insert into public.agent_api_keys (organization_id, agent_id, name, key_id, secret_hash)
  select bulk.id('organization', n / agents), bulk.id('agent', n), 'key', bulk.key_id(n), bulk.secret_hash(n)
  from generate_series(first * agents, organizations * agents - 1) n;
  insert into public.mcp_server_instances (id, organization_id, instance_name, url, status, first_running_at)
  select bulk.id('server', n), bulk.id('organization', n / servers), 'server-' || n % servers, 'https://mcp.example.org/' || n, 'running',
    now()
  from generate_series(first * servers, organizations * servers - 1) n;
  insert into public.mcp_server_tools (organization_id, instance_id, kind, name, definition_hash, definition, status, announced,
    approved_at)
  select bulk.id('organization', n / servers), bulk.id('server', n), 'tool', 'tool_' || t, sha256(convert_to('tool_' || t, 'UTF8')),
         '{"name":"tool_' || t || '","inputSchema":{"type":"object"}}', 'approved', true, now()
  from generate_series(first * servers, organizations * servers - 1) n, generate_series(0, 9) t;
  insert into public.agent_mcp_permissions
    (id, organization_id, agent_id, mcp_server_instance_id, permissions, granted_by, granted_by_id)
  select bulk.id('grant', n * servers + s), bulk.id('organization', n / agents), bulk.id('agent', n),
         bulk.id('server', n / agents * servers + s),
         case when s < servers - 1 then '{"tools": {"tool_0": {"args": {"path": {"type": "string", "under": "/data"}}}, "tool_*": {}}}'
              else '{"tools": {"tool_0": {"args": {"path": {"type": "string", "under": "/data"}}}, "tool_*": {}},
                     "limits": {"per_minute": 1000000000}}' end::jsonb,
         bulk.id('user', n / agents), bulk.id('user', n / agents)
  from generate_series(first * agents, organizations * agents - 1) n, generate_series(0, servers - 1) s;
  insert into weir.grant_usage (organization_id, grant_id, period, window_start, used)
  select bulk.id('organization', n / agents), bulk.id('grant', n * servers + servers - 1), 'per_minute', '-infinity', 0
  from generate_series(first * agents, organizations * agents - 1) n;
  insert into public.workspaces (id, organization_id, name)
  select bulk.id('workspace', o), bulk.id('organization', o), 'General' from generate_series(first, organizations - 1) o;
  insert into public.workspace_members (organization_id, workspace_id, user_id, agent_id)
  select bulk.id('organization', o), bulk.id('workspace', o), case when m = 0 then bulk.id('user', o) end,
         case when m > 0 then bulk.id('agent', o * agents + m - 1) end
  from generate_series(first, organizations - 1) o, generate_series(0, agents) m;
  -- The audit log of the last 28 days: of this month or the last, for which a migrated database has partitions on every day.
  insert into public.mcp_interaction_logs
    (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, agent_id, agent_name, instance_id, instance_name, item)
  select now() - n * interval '28 days' / greatest(log_rows, 1), gen_random_uuid(), 'requested',
         bulk.id('organization', n % organizations), 'tool_execution', 'allowed', 1, 'agent',
         bulk.id('agent', n % organizations * agents), 'Agent', bulk.id('server', n % organizations * servers), 'server-0', 'tool_0'
  from generate_series(1, log_rows) n;
  set local session_replication_role = origin;
end;
$$;

-- The texts of the organizations of populate: each has a channel with messages, of which one is being answered, settings for each agent's
-- model, and a datastore of its first agent with documents.
create function bulk.add_texts(organizations integer, agents integer, texts integer, first integer default 0) returns void
language plpgsql
as $$
begin
  set local session_replication_role = replica;
  insert into public.chat_channels (id, organization_id, workspace_id, name)
  select bulk.id('channel', o), bulk.id('organization', o), bulk.id('workspace', o),
    'General' from generate_series(first, organizations - 1) o;
  insert into public.chat_messages (id, organization_id, workspace_id, channel_id, sender, user_id, content)
  select bulk.id('message', o * texts + t), bulk.id('organization', o), bulk.id('workspace', o), bulk.id('channel', o), 'user',
    bulk.id('user', o), 'hello'
  from generate_series(0, texts - 1) t, generate_series(first, organizations - 1) o;
  insert into weir.chat_turns (organization_id, message_id, agent_id, replica_id, leased_until)
  select bulk.id('organization', o), bulk.id('message', o * texts + 1), bulk.id('agent', o * agents), bulk.id('replica', 1),
    now() from generate_series(first, organizations - 1) o;
  insert into public.user_profiles (user_id, display_name) select bulk.id('user', o),
    'User ' || o from generate_series(first, organizations - 1) o;
  insert into public.model_settings (organization_id, agent_id, retries)
  select bulk.id('organization', n / agents), bulk.id('agent', n), 1 from generate_series(first * agents, organizations * agents - 1) n;
  insert into public.datastores (id, organization_id, name)
  select bulk.id('datastore', o), bulk.id('organization', o), 'Handbook' from generate_series(first, organizations - 1) o;
  insert into public.agent_datastores (organization_id, agent_id, datastore_id)
  select bulk.id('organization', o), bulk.id('agent', o * agents), bulk.id('datastore', o) from generate_series(first, organizations - 1) o;
  insert into public.documents (id, organization_id, datastore_id, title, media_type, content_hash, size_bytes, chunk_count)
  select bulk.id('document', o * texts + t), bulk.id('organization', o), bulk.id('datastore', o), 'Page ' || t, 'text/plain',
         sha256(convert_to('page ' || t, 'UTF8')), 40, 1
  from generate_series(0, texts - 1) t, generate_series(first, organizations - 1) o;
  insert into weir.document_chunks (organization_id, datastore_id, document_id, ordinal, content, content_hash, terms, embedding,
    embedding_model, embedded_version)
  select d.organization_id, d.datastore_id, d.id, 0, d.title, d.content_hash,
    weir.chunk_terms(d.datastore_id, d.title, '', 'every page of a handbook'),
         '{1}', 'm', 1
  from public.documents d
  where not exists (select from weir.document_chunks c where c.document_id = d.id);
  set local session_replication_role = origin;
end;
$$;

-- One batch of admission, by the keys of agents chosen at random. Returns how many were admitted. The tool's argument rule is evaluated,
-- and with p_limited the limit of a fifth of the grants is counted.
create function bulk.admit(p_calls integer, p_organizations integer, p_agents integer, p_servers integer, p_limited boolean)
returns bigint
language plpgsql
as $$
declare
  v_agents bigint[] := array(select floor(random() * p_organizations * p_agents)::bigint from generate_series(1, p_calls));
begin
  return (
    select count(*) filter (where d.failures = '{}')
    from (select array_agg(gen_random_uuid()) as ids, array_agg(clock_timestamp()) as times, array_agg(bulk.key_id(n)) as keys,
                 array_agg(bulk.secret_hash(n)) as hashes, array_agg(null::uuid) as nobody, array_agg('tool_execution'::text) as kinds,
                 array_agg(bulk.id('server', n / p_agents * p_servers
                           + case when p_limited and random() < 0.2 then p_servers - 1 else 0 end)) as servers,
                 array_agg('tool_0'::text) as items, array_agg('{"path": "/data/file.txt"}'::text) as arguments, array_agg(1) as ones,
                 array_agg(150::bigint) as sizes, array_agg(sha256('request')) as request_hashes,
                 array_agg(bulk.id('organization', n / p_agents)) as organizations
          from unnest(v_agents) n) b,
         unnest(weir.admit(gen_random_uuid(), b.ids, b.times, b.keys, b.hashes, b.nobody, b.nobody, b.kinds, b.servers, b.items,
                           b.arguments, b.items, b.ones, b.sizes, b.request_hashes, b.arguments, b.organizations)) d);
end;
$$;
