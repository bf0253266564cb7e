-- Keys of an organization for its own automation. They can only read.

-- A key reads what its scopes name (weir.read_with_key). No policy shows a key any row, because it is not a person.
create table public.organization_api_keys (
  id uuid not null default weir.uuid_v7(),
  organization_id uuid not null,
  name text not null,
  -- The public part, by which a key is found; of the secret only the hash is stored. Unique over all organizations, because the key arrives
  -- before its organization is known.
  key_id text not null,
  secret_hash bytea not null,
  scopes text[] not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  -- Never null, unlike that of an agent's key: forgotten automation loses its access.
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by uuid,
  constraint organization_api_keys_pkey primary key (id),
  constraint organization_api_keys_key_id_key unique (key_id),
  constraint organization_api_keys_name_is_1_to_100_characters check (length(name) between 1 and 100),
  constraint organization_api_keys_key_id_is_random_text check (key_id ~ '^[a-z0-9]{16}$'),
  constraint organization_api_keys_secret_is_sha256 check (octet_length(secret_hash) = 32),
  -- A closed list: a new scope needs a new migration, so no key can gain permissions later.
  constraint organization_api_keys_scopes_are_known
    check (scopes <@ array['audit.read', 'servers.read', 'usage.read'] and cardinality(scopes) > 0),
  constraint organization_api_keys_organization
    foreign key (organization_id) references public.organizations (id) on delete cascade,
  constraint organization_api_keys_created_by
    foreign key (organization_id, created_by) references public.organization_members (organization_id, user_id)
    on delete set null (created_by),
  constraint organization_api_keys_revoked_by foreign key (revoked_by) references auth.users (id) on delete set null
);
alter table public.organization_api_keys enable row level security, force row level security;
revoke all on public.organization_api_keys from public, anon, authenticated, service_role;
comment on table public.organization_api_keys is 'tenant: keys of the organization itself, for its own automation';
create index organization_api_keys_created_by_idx on public.organization_api_keys (organization_id, created_by);
create index organization_api_keys_revoked_by_idx on public.organization_api_keys (revoked_by);

-- Admins see keys without their hashes.
create policy organization_keys_are_seen_by_admins on public.organization_api_keys for select to authenticated, weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))));
-- An admin makes a key in their own name.
create policy organization_keys_are_made_by_admins on public.organization_api_keys for insert to weir_writer
  with check (organization_id = any(array(select weir.my_organizations('admin'))) and created_by = (select weir.actor_id()));
-- Revoking is the only change of a key, and the row says who did it.
create policy organization_keys_are_revoked_by_admins on public.organization_api_keys for update to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))))
  with check (revoked_by = (select weir.actor_id()));
-- A key arrives before its organization is known.
create policy organization_keys_are_read_by_the_engine on public.organization_api_keys for select to weir_system using (true);
grant select (id, organization_id, name, key_id, scopes, created_by, created_at, expires_at, revoked_at, revoked_by)
  on public.organization_api_keys to authenticated;
grant select (id, organization_id, name, key_id, scopes, created_by, created_at, expires_at, revoked_at, revoked_by),
      insert (id, organization_id, name, key_id, secret_hash, scopes, created_by, expires_at),
      update (revoked_at, revoked_by) on public.organization_api_keys to weir_writer;
grant select (organization_id, key_id, secret_hash, name, scopes, expires_at, revoked_at) on public.organization_api_keys to weir_system;

-- A revoked key stays revoked and nothing else of a key changes, whether a function or direct SQL writes: a key's scopes never grow.
create function weir.guard_organization_key() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception using errcode = 'WR005', message = 'a revoked key cannot be reactivated: make a new one';
  elsif (old.organization_id, old.name, old.key_id, old.secret_hash, old.scopes, old.expires_at, old.created_at)
     is distinct from (new.organization_id, new.name, new.key_id, new.secret_hash, new.scopes, new.expires_at, new.created_at) then
    raise exception using errcode = 'WR005', message = 'a key cannot be changed, only revoked: make a new one';
  end if;
  return new;
end;
$$;

revoke all on function weir.guard_organization_key from public;

create trigger a_guard_organization_key before update on public.organization_api_keys
  for each row execute function weir.guard_organization_key();

set local role weir_writer;

-- For admins; other members get WR003, and outsiders WR004. The caller generates key id and secret at random, and only the secret's hash is
-- stored. A key always expires, so that forgotten automation loses its access: after 90 days if p_expires_at is null, and after a year at
-- most. An organization has at most 100 valid keys; its lock makes the count exact. The audit log gets the key id and never the secret.
create function weir.create_organization_api_key(
  p_organization_id uuid, p_name text, p_key_id text, p_secret text, p_scopes text[], p_expires_at timestamptz) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_expires_at timestamptz;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('credential', 'create_organization_api_key', 'admin', 'only an owner or admin makes keys of the organization',
                    p_organization_id);
  v_refusal := weir.authorize(v_act);
  if v_refusal is null then
    v_expires_at := coalesce(p_expires_at, now() + interval '90 days');
    v_refusal := weir.lock_for(v_act, coalesce(weir.name_error('name', p_name), case
      when p_key_id is null or octet_length(p_key_id) <> 16 or p_key_id !~ '^[a-z0-9]{16}$' then 'key_id must be 16 of a-z and 0-9'
      when p_secret is null or octet_length(p_secret) <> 43 or p_secret !~ '^[A-Za-z0-9]{43}$' then 'secret must be 43 letters and digits'
      when p_scopes is null or cardinality(p_scopes) not between 1 and 3 or array_ndims(p_scopes) <> 1
           or array_position(p_scopes, null) is not null or not p_scopes <@ array['audit.read', 'servers.read', 'usage.read']
        then 'scopes must be one or more of audit.read, servers.read and usage.read'
      when not v_expires_at between now() and now() + interval '366 days' then 'expires_at must be within a year' end));
  end if;
  if v_refusal is not null then
    return v_refusal;
  elsif (select count(*) from public.organization_api_keys k
         where k.organization_id = p_organization_id and k.revoked_at is null and k.expires_at > now()) >= 100 then
    return weir.refuse(v_act, 'WR006', 'an organization may have 100 valid keys: revoke one first');
  end if;
  insert into public.organization_api_keys (organization_id, name, key_id, secret_hash, scopes, created_by, expires_at)
  values (p_organization_id, btrim(p_name), p_key_id, sha256(convert_to(p_secret, 'UTF8')),
          array(select distinct s from unnest(p_scopes) s order by s), weir.actor_id(), v_expires_at);
  perform weir.record_act(v_act, p_key_id);
  return jsonb_build_object('key_id', p_key_id, 'organization_id', p_organization_id, 'expires_at', v_expires_at);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_key_id);
end;
$$;
grant execute on function weir.create_organization_api_key to authenticated;

-- For admins. Only admins see keys (policy organization_keys_are_seen_by_admins), so everybody else gets WR004. The key is looked up again
-- under the organization's lock, because the caller may have lost the role while waiting. A repeated call leaves no row in the audit log.
create function weir.revoke_organization_api_key(p_key_id text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('credential', 'revoke_organization_api_key', 'see');
  select k.organization_id into v_act.organization_id from public.organization_api_keys k
  where k.key_id = p_key_id and octet_length(p_key_id) <= 16;
  v_refusal := weir.authorize(v_act, 'there is no such key');
  if v_refusal is null then
    v_refusal := weir.lock_for(v_act);
  end if;
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Read again under the lock: the caller may have lost sight of it.
  select k.organization_id into v_act.organization_id from public.organization_api_keys k where k.key_id = p_key_id;
  if v_act.organization_id is null then
    return weir.refuse(v_act, 'WR004', 'there is no such key');
  end if;
  update public.organization_api_keys k set revoked_at = clock_timestamp(), revoked_by = weir.actor_id()
  where k.key_id = p_key_id and k.revoked_at is null;
  if found then
    perform weir.record_act(v_act, p_key_id);
  end if;
  return jsonb_build_object('key_id', p_key_id, 'revoked', true);
end;
$$;
grant execute on function weir.revoke_organization_api_key to authenticated;

reset role;

set local role weir_system;

-- Finds the organization of a key and what the key may read. Definer, for the engine only: the organization is not known before. A key that
-- is not valid gets no row, whatever the reason. It is not an error, because anybody can send a key, and each error would be written to
-- PostgreSQL's log.
create function weir.authenticate_organization_key(p_key_id text, p_secret_hash bytea)
returns table (organization_id uuid, name text, scopes text[], key_expires_at timestamptz)
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select k.organization_id, k.name, k.scopes, k.expires_at
    from public.organization_api_keys k
    join public.organizations o on o.id = k.organization_id and o.is_active
    where k.key_id = p_key_id and k.secret_hash = p_secret_hash and k.revoked_at is null and k.expires_at > clock_timestamp();
end;
$$;
grant execute on function weir.authenticate_organization_key to weir_engine;

reset role;

-- The published names; parameter names are API.
create function public.create_organization_api_key(
  organization_id uuid, name text, key_id text, secret text, scopes text[], expires_at timestamptz default null) returns jsonb
language sql volatile begin atomic select weir.create_organization_api_key($1, $2, $3, $4, $5, $6); end;
create function public.revoke_organization_api_key(key_id text) returns jsonb
language sql volatile begin atomic select weir.revoke_organization_api_key($1); end;

revoke all on function public.create_organization_api_key, public.revoke_organization_api_key
  from public, anon, authenticated, service_role;
grant execute on function public.create_organization_api_key, public.revoke_organization_api_key to authenticated;
