-- A person's own data: a profile, and the wrapped key that encrypts their private data.

-- A person's display name. It is in a table of Weir's own, because API roles cannot read auth.users. Fellow members see it, so that a list
-- of members has names.
create table public.user_profiles (
  user_id uuid not null,
  display_name text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_profiles_pkey primary key (user_id),
  constraint user_profiles_display_name_is_1_to_100_characters
    check (length(display_name) between 1 and 100 and display_name = btrim(display_name)),
  constraint user_profiles_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table public.user_profiles enable row level security, force row level security;
revoke all on public.user_profiles from public, anon, authenticated, service_role;
comment on table public.user_profiles is 'user: a person''s display name';

-- Seen by the person, and by active members of an organization that the person belongs to, suspended or not.
create policy profiles_are_seen_by_the_person_and_fellow_members on public.user_profiles for select to authenticated, weir_writer
  using (user_id = (select weir.actor_id())
         -- The policy of organization_members shows the members of the caller's organizations only.
         or user_id = any(array(select m.user_id from public.organization_members m where m.status <> 'removed')));
-- A person creates only their own profile.
create policy profiles_are_made_by_the_person on public.user_profiles for insert to weir_writer
  with check (user_id = (select weir.actor_id()));
-- A person changes only their own profile.
create policy profiles_are_changed_by_the_person on public.user_profiles for update to weir_writer
  using (user_id = (select weir.actor_id())) with check (user_id = (select weir.actor_id()));
-- For lists of people with their addresses (weir.list_members, weir.list_users).
create policy profiles_are_read_by_the_engine on public.user_profiles for select to weir_system using (true);
grant select on public.user_profiles to authenticated, weir_system;
grant select, insert (user_id, display_name), update (display_name, updated_at) on public.user_profiles to weir_writer;

-- A person's data key: 32 random bytes that the process seals with its keyring, so that the database never holds the key in clear text. The
-- person sees that the key exists; only the engine reads its ciphertext.
create table public.user_secrets (
  user_id uuid not null,
  wrapped_key bytea not null,
  -- Rises with each wrapping; a new wrapping must name the version that it replaces.
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_secrets_pkey primary key (user_id),
  -- Sealing adds a nonce and a tag to the 32 bytes, so a key in clear text is too short to be stored.
  constraint user_secrets_key_is_wrapped check (octet_length(wrapped_key) between 60 and 512),
  constraint user_secrets_version_is_positive check (version > 0),
  constraint user_secrets_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table public.user_secrets enable row level security, force row level security;
revoke all on public.user_secrets from public, anon, authenticated, service_role;
comment on table public.user_secrets is 'user: a person''s data key, wrapped by the keyring';

-- The granted columns do not include the ciphertext.
create policy secrets_are_known_to_the_person on public.user_secrets for select to authenticated
  using (user_id = (select weir.actor_id()));
-- For weir.user_data_key and weir.rewrap_user_data_key.
create policy secrets_are_kept_by_the_engine on public.user_secrets for all to weir_system using (true) with check (true);
grant select (user_id, version, created_at, updated_at) on public.user_secrets to authenticated;
grant select, insert (user_id, wrapped_key), update (wrapped_key, version, updated_at) on public.user_secrets to weir_system;

set local role weir_system;

-- The person's wrapped key. If there is none yet, p_wrapped_key becomes it; if two processes bring one at once, both get the first. With a
-- null p_wrapped_key it only reads. Definer, for the engine only: no other role reads a wrapped key.
create function weir.user_data_key(p_user_id uuid, p_wrapped_key bytea) returns table (wrapped_key bytea, version integer)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  if p_wrapped_key is not null then
    insert into public.user_secrets (user_id, wrapped_key) values (p_user_id, p_wrapped_key) on conflict do nothing;
  end if;
  return query select s.wrapped_key, s.version from public.user_secrets s where s.user_id = p_user_id;
exception
  when check_violation then
    raise exception using errcode = 'WR001', message = 'wrapped_key must be 60 to 512 bytes';
  when foreign_key_violation or not_null_violation then
    raise exception using errcode = 'WR004', message = 'there is no such user';
end;
$$;
grant execute on function weir.user_data_key to weir_engine;

-- Stores the same key, wrapped again by a newer key of the keyring. Returns false if another process was faster: only the version that was
-- read is replaced. Definer, for the engine only: the keyring is rotated for all people.
create function weir.rewrap_user_data_key(p_user_id uuid, p_version integer, p_wrapped_key bytea) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.user_secrets s set wrapped_key = p_wrapped_key, version = s.version + 1, updated_at = now()
  where s.user_id = p_user_id and s.version = p_version;
  return found;
exception
  when check_violation or not_null_violation then
    raise exception using errcode = 'WR001', message = 'wrapped_key must be 60 to 512 bytes';
end;
$$;
grant execute on function weir.rewrap_user_data_key to weir_engine;

reset role;

set local role weir_writer;

-- For everybody who is signed in; sets the caller's display name. A repeated call replaces it. No audit log has a row of it, because a
-- profile belongs to no organization.
create function weir.set_user_profile(p_display_name text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('lifecycle', 'set_user_profile', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('display_name', p_display_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('display_name', p_display_name));
  end if;
  insert into public.user_profiles (user_id, display_name) values (weir.actor_id(), btrim(p_display_name))
  on conflict (user_id) do update set display_name = excluded.display_name, updated_at = now();
  return jsonb_build_object('user_id', weir.actor_id(), 'display_name', btrim(p_display_name));
end;
$$;
grant execute on function weir.set_user_profile to authenticated;

reset role;

-- The published name; parameter names are API.
create function public.set_user_profile(display_name text) returns jsonb
language sql volatile begin atomic select weir.set_user_profile($1); end;

revoke all on function public.set_user_profile from public, anon, authenticated, service_role;
grant execute on function public.set_user_profile to authenticated;
