-- Agents and their keys. An agent is an identity of one organization that uses servers. It is owned by a member, but it is
-- never that member's login: its key permits what was granted to the agent and nothing that its owner may do.

-- An agent acts only while it is active and its owner is an active member (weir.decide). Names and instructions are read by
-- every member; what the agent may do is in its grants.
create table public.agents (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  instructions text,
  -- Null after the owner's membership row was deleted. Such an agent is denied everything (`member_inactive`) but stays,
  -- with its grants and history.
  owner_id uuid,
  is_active boolean not null default true,
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint agents_pkey primary key (id),
  -- The target of composite foreign keys: a row that names an agent names the agent's organization with it.
  constraint agents_organization_id_id_key unique (organization_id, id),
  constraint agents_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint agents_instructions_are_at_most_32_kib check (octet_length(instructions) <= 32768),
  constraint agents_organization foreign key (organization_id) references public.organizations (id) on delete cascade,
  -- Composite, so that the owner is a member of this organization; only the person's column becomes null.
  constraint agents_owner_is_a_member
    foreign key (organization_id, owner_id) references public.organization_members (organization_id, user_id)
    on delete set null (owner_id),
  constraint agents_created_by foreign key (created_by) references auth.users (id) on delete set null
);
alter table public.agents enable row level security, force row level security;
revoke all on public.agents from public, anon, authenticated, service_role;
comment on table public.agents is 'tenant: an AI agent of an organization';
-- Names that differ only by case would be taken for each other in a chat.
create unique index agents_name_key on public.agents (organization_id, lower(name));
create index agents_owner_idx on public.agents (organization_id, owner_id);
create index agents_created_by_idx on public.agents (created_by);

-- The agents that the caller owns and may act for: an owner who is a viewer by now may do nothing with them.
-- A security definer for the same reason as my_organizations: policies on agents and on tables that refer to agents ask it.
create function weir.my_agents() returns setof uuid
language plpgsql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select a.id
    from public.agents a
    where a.organization_id = any(array(select weir.my_organizations('member')))
      and a.owner_id = weir.actor_id();
end;
$$;
revoke all on function weir.my_agents() from public;
grant execute on function weir.my_agents() to authenticated, weir_writer;

-- Every member sees the organization's agents; what an agent was granted is seen by its owner and admins only. Members
-- create agents of their own. weir_system reads all agents, because a key names an agent before any person is known.
create policy agents_are_seen_by_members on public.agents for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations())));
create policy agents_are_created_by_their_owner on public.agents for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('member')))
              and owner_id = (select weir.actor_id()) and created_by = (select weir.actor_id()));
create policy agents_are_read_by_the_engine on public.agents for all to weir_system using (true) with check (true);
grant select on public.agents to authenticated;
grant select, insert (id, organization_id, name, instructions, owner_id, created_by) on public.agents to weir_writer;
grant select (id, organization_id, name, owner_id, is_active) on public.agents to weir_system;

-- A key is shown once, by the gateway that made it; only the SHA-256 of its secret is kept. Many keys of one agent may be
-- valid at once, so that a key can be replaced without a gap. Revoking is final (weir.guard_key).
create table public.agent_api_keys (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  agent_id uuid not null,
  name text not null,
  -- The public part, by which a key is found. Unique over all organizations, because the key arrives before its
  -- organization is known.
  key_id text not null,
  secret_hash bytea not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  -- Null: valid until it is revoked.
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_by uuid,
  constraint agent_api_keys_pkey primary key (id),
  constraint agent_api_keys_key_id_key unique (key_id),
  constraint agent_api_keys_name_is_1_to_100_characters check (length(name) between 1 and 100),
  constraint agent_api_keys_key_id_is_random_text check (key_id ~ '^[a-z0-9]{16}$'),
  constraint agent_api_keys_secret_is_sha256 check (octet_length(secret_hash) = 32),
  -- Composite, so that a key cannot name an agent of another organization.
  constraint agent_api_keys_agent_of_the_organization
    foreign key (organization_id, agent_id) references public.agents (organization_id, id) on delete cascade,
  constraint agent_api_keys_created_by foreign key (created_by) references auth.users (id) on delete set null,
  constraint agent_api_keys_revoked_by foreign key (revoked_by) references auth.users (id) on delete set null
);
alter table public.agent_api_keys enable row level security, force row level security;
revoke all on public.agent_api_keys from public, anon, authenticated, service_role;
comment on table public.agent_api_keys is 'tenant: keys by which an agent presents itself; the secret''s hash, never the secret';
create index agent_api_keys_agent_idx on public.agent_api_keys (organization_id, agent_id);
-- The policies below compare agent_id without the organization; the index above serves the foreign key.
create index agent_api_keys_agent_id_idx on public.agent_api_keys (agent_id);
create index agent_api_keys_created_by_idx on public.agent_api_keys (created_by);
create index agent_api_keys_revoked_by_idx on public.agent_api_keys (revoked_by);

-- Admins and the agent's owner see, make and revoke its keys. Nobody reads a hash but weir_system, which compares it.
create policy agent_keys_are_seen_by_admins_and_the_owner on public.agent_api_keys for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (organization_id = any(array(select weir.my_organizations('admin'))) or agent_id = any(array(select weir.my_agents()))));
create policy agent_keys_are_made_by_admins_and_the_owner on public.agent_api_keys for insert to weir_writer
  with check (created_by = (select weir.actor_id())
              and (organization_id = any(array(select weir.my_organizations('admin')))
                   or agent_id = any(array(select weir.my_agents()))));
-- The new row must name the caller as who revoked it; nothing but revoked_at and revoked_by may be updated.
create policy agent_keys_are_revoked_by_admins_and_the_owner on public.agent_api_keys for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin')))
         or agent_id = any(array(select weir.my_agents())))
  with check (revoked_by = (select weir.actor_id()));
create policy agent_keys_are_read_by_the_engine on public.agent_api_keys for all to weir_system using (true) with check (true);
grant select (id, organization_id, agent_id, name, key_id, created_by, created_at, expires_at, revoked_at, revoked_by)
  on public.agent_api_keys to authenticated, weir_writer;
grant insert (id, organization_id, agent_id, name, key_id, secret_hash, created_by, expires_at),
      update (revoked_at, revoked_by) on public.agent_api_keys to weir_writer;
grant select (organization_id, agent_id, key_id, secret_hash, expires_at, revoked_at) on public.agent_api_keys to weir_system;

grant create on schema weir to weir_system;
alter function weir.my_agents() owner to weir_system;
revoke create on schema weir from weir_system;
