-- Keys of agents. Only the hash of a key's secret is stored.

-- A key is shown once, when it is made; only the SHA-256 of its secret is stored. Several keys of one agent may be valid at once, so that a
-- key can be replaced without downtime. Revoking is final (weir.guard_key).
create table public.agent_api_keys (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  agent_id uuid not null,
  name text not null,
  -- The public part, by which a key is found. Unique over all organizations, because the key arrives before its organization is known.
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
-- Policies compare agent_id without the organization; agent_api_keys_agent_idx serves the foreign key.
create index agent_api_keys_agent_id_idx on public.agent_api_keys (agent_id);
create index agent_api_keys_created_by_idx on public.agent_api_keys (created_by);
create index agent_api_keys_revoked_by_idx on public.agent_api_keys (revoked_by);

-- Admins and the agent's owner see, make and revoke its keys. Only weir_system reads a hash, to compare it.
create policy agent_keys_are_seen_by_admins_and_the_owner on public.agent_api_keys for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations()))
         and (organization_id = any(array(select weir.my_organizations('admin'))) or agent_id = any(array(select weir.my_agents()))));
create policy agent_keys_are_made_by_admins_and_the_owner on public.agent_api_keys for insert to weir_writer
  with check (created_by = (select weir.actor_id())
              and (organization_id = any(array(select weir.my_organizations('admin')))
                   or agent_id = any(array(select weir.my_agents()))));
-- The new row must name the caller as who revoked it; only revoked_at and revoked_by may be updated.
create policy agent_keys_are_revoked_by_admins_and_the_owner on public.agent_api_keys for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin')))
         or agent_id = any(array(select weir.my_agents())))
  with check (revoked_by = (select weir.actor_id()));
create policy agent_keys_are_read_by_the_engine on public.agent_api_keys for all to weir_system using (true) with check (true);
grant select (id, organization_id, agent_id, name, key_id, created_by, created_at, expires_at, revoked_at, revoked_by)
  on public.agent_api_keys to authenticated;
grant select (id, organization_id, agent_id, name, key_id, created_by, created_at, expires_at, revoked_at, revoked_by),
      insert (id, organization_id, agent_id, name, key_id, secret_hash, created_by, expires_at),
      update (revoked_at, revoked_by) on public.agent_api_keys to weir_writer;
grant select (organization_id, agent_id, key_id, secret_hash, expires_at, revoked_at) on public.agent_api_keys to weir_system;

-- A key's hash and expiry never change, so nobody can turn a known key into another one.
create function weir.guard_key() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'WR005', message = 'a revoked key cannot be reactivated: make a new one';
  elsif (old.organization_id, old.agent_id, old.key_id, old.secret_hash, old.expires_at, old.created_at)
     is distinct from (new.organization_id, new.agent_id, new.key_id, new.secret_hash, new.expires_at, new.created_at) then
    raise exception using errcode = 'WR005', message = 'a key cannot be changed, only revoked: make a new one';
  end if;
  return new;
end;
$$;

revoke all on function weir.guard_key from public;

create trigger a_guard_key before update on public.agent_api_keys for each row execute function weir.guard_key();
create trigger b_key_change before insert or update or delete on public.agent_api_keys
  for each row execute function weir.on_permission_change();
create trigger not_truncated before truncate on public.agent_api_keys for each statement execute function weir.refuse_truncate();

set local role weir_system;

-- Finds the agent of a key before an organization is known; hence a definer, for the engine only. No row for a key that is unknown, revoked
-- or expired, whose agent or organization is deleted, or whose owner is not active: one answer for all reasons, which tells a guesser
-- nothing. If the agent, organization or platform is switched off, the key is valid and is_stopped is true: its calls reach admission,
-- which denies them and records why. Neither this nor its callers raise, because anybody can send a key, and each error would be written to
-- PostgreSQL's log. Secrets are compared by their SHA-256.
create function weir.authenticate_key(p_key_id text, p_secret_hash bytea)
returns table (agent_id uuid, agent_name text, organization_id uuid, key_expires_at timestamptz, is_stopped boolean)
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select a.id, a.name, a.organization_id, k.expires_at,
           not a.is_active or not o.is_active or exists (select from weir.platform_stop p where p.only_row)
    from public.agent_api_keys k
    -- One after the other, each by its key: a plan that was made while tables were empty would scan one of them.
    join lateral (select x.id, x.name, x.organization_id, x.user_id, x.is_active, x.deleted_at from public.agents x
                  where x.id = k.agent_id offset 0) a on true
    join lateral (select x.is_active, x.deleted_at from public.organizations x where x.id = a.organization_id offset 0) o on true
    join lateral (select x.status from public.organization_members x
                  where x.organization_id = a.organization_id and x.user_id = a.user_id offset 0) m on true
    where k.key_id = p_key_id and k.secret_hash = p_secret_hash
      and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
      and a.deleted_at is null and o.deleted_at is null and m.status = 'active';
end;
$$;
grant execute on function weir.authenticate_key to weir_engine;

reset role;

set local role weir_writer;

-- For the agent's owner and admins (policy agent_keys_are_made_by_admins_and_the_owner). Every member sees the agent, so other members of
-- the organization get WR003, and an outsider WR004. The caller generates key id and secret at random and shows the secret once. Only its
-- hash is stored, and only the key id is in the audit log. If p_expires_at is null, the key does not expire. An agent has at most 100 valid
-- keys; the organization's lock makes the count exact.
create function weir.create_agent_key(p_agent_id uuid, p_name text, p_key_id text, p_secret text, p_expires_at timestamptz) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('credential', 'create_agent_key', 'manage_agent', 'only the agent''s owner or an admin makes keys',
                    p_agent_id => p_agent_id);
  select a.organization_id into v_act.organization_id from public.agents a where a.id = p_agent_id and a.deleted_at is null;
  v_refusal := weir.authorize(v_act, 'there is no such agent');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name), case
      when p_key_id is null or octet_length(p_key_id) <> 16 or p_key_id !~ '^[a-z0-9]{16}$' then 'key_id must be 16 of a-z and 0-9'
      when p_secret is null or octet_length(p_secret) <> 43 or p_secret !~ '^[A-Za-z0-9]{43}$' then 'secret must be 43 letters and digits'
      when p_expires_at <= now() then 'expires_at must be in the future' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif (select count(*) from public.agent_api_keys k
         where k.organization_id = v_act.organization_id and k.agent_id = p_agent_id and k.revoked_at is null
           and (k.expires_at is null or k.expires_at > now())) >= 100 then
    return weir.refuse(v_act, 'WR006', 'an agent may have 100 valid keys: revoke one first');
  end if;
  insert into public.agent_api_keys (organization_id, agent_id, name, key_id, secret_hash, created_by, expires_at)
  values (v_act.organization_id, p_agent_id, btrim(p_name), p_key_id, sha256(convert_to(p_secret, 'UTF8')), weir.actor_id(), p_expires_at);
  perform weir.record_act(v_act, p_key_id);
  return jsonb_build_object('key_id', p_key_id, 'agent_id', p_agent_id, 'expires_at', p_expires_at);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_key_id);
end;
$$;
grant execute on function weir.create_agent_key to authenticated;

-- For the agent's owner and admins. Nobody else sees the key (policy agent_keys_are_seen_by_admins_and_the_owner), so everybody else gets
-- WR004. Final, and effective with the next call: the organization's lock waits for the admissions that run. The key is read again under
-- the lock, because the caller may have lost the role while waiting. A repeated call leaves no row in the audit log.
create function weir.revoke_agent_key(p_key_id text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('credential', 'revoke_agent_key', 'see');
  select k.organization_id into v_act.organization_id from public.agent_api_keys k
  where k.key_id = p_key_id and octet_length(p_key_id) <= 16;
  v_refusal := weir.authorize(v_act, 'there is no such key');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Read again under the lock: the caller may have lost sight of it.
  select k.organization_id, k.agent_id into v_act.organization_id, v_act.agent_id from public.agent_api_keys k where k.key_id = p_key_id;
  if v_act.organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such key');
  end if;
  update public.agent_api_keys k set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
  where k.key_id = p_key_id and k.revoked_at is null;
  if found then
    perform weir.record_act(v_act, p_key_id);
  end if;
  return jsonb_build_object('key_id', p_key_id, 'revoked', true);
end;
$$;
grant execute on function weir.revoke_agent_key to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.create_agent_key(agent_id uuid, name text, key_id text, secret text,
                                        expires_at timestamptz default null) returns jsonb
language sql volatile begin atomic select weir.create_agent_key($1, $2, $3, $4, $5); end;
create function public.revoke_agent_key(key_id text) returns jsonb
language sql volatile begin atomic select weir.revoke_agent_key($1); end;

revoke all on function public.create_agent_key, public.revoke_agent_key from public, anon, authenticated, service_role;
grant execute on function public.create_agent_key, public.revoke_agent_key to authenticated;
