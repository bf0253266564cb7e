-- Public SSH keys of people.

-- A key is created and deleted, and never changed. Each key has exactly one text form (weir.ed25519_blob), so no person has the same key
-- twice.
create table public.user_ssh_keys (
  id uuid not null default weir.uuid_v7(),
  user_id uuid not null,
  name text not null,
  public_key text not null,
  fingerprint text not null,
  -- Reserved for a reference to the vault; no role may write or read it.
  private_key_secret_id uuid,
  created_at timestamptz not null default now(),
  constraint user_ssh_keys_pkey primary key (id),
  constraint user_ssh_keys_fingerprint_key unique (user_id, fingerprint),
  constraint user_ssh_keys_name_is_1_to_100_characters check (length(name) between 1 and 100 and name = btrim(name)),
  constraint user_ssh_keys_public_key_is_ed25519 check (public_key ~ '^ssh-ed25519 [A-Za-z0-9+/]{68}$'),
  constraint user_ssh_keys_fingerprint_is_sha256 check (fingerprint ~ '^SHA256:[A-Za-z0-9+/]{43}$'),
  constraint user_ssh_keys_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table public.user_ssh_keys enable row level security, force row level security;
revoke all on public.user_ssh_keys from public, anon, authenticated, service_role;
comment on table public.user_ssh_keys is 'user: a person''s SSH keys; the private part by reference to the vault only';
-- A person distinguishes their keys by name.
create unique index user_ssh_keys_name_key on public.user_ssh_keys (user_id, lower(name));

-- No other person sees them, not even an admin: they belong to no organization.
create policy ssh_keys_are_seen_by_the_person on public.user_ssh_keys for select to authenticated, weir_writer
  using (user_id = (select weir.actor_id()));
-- Each person makes their own.
create policy ssh_keys_are_made_by_the_person on public.user_ssh_keys for insert to weir_writer
  with check (user_id = (select weir.actor_id()));
-- Each person deletes their own. There is no policy for update: a key is never changed.
create policy ssh_keys_are_deleted_by_the_person on public.user_ssh_keys for delete to weir_writer
  using (user_id = (select weir.actor_id()));
grant select (id, user_id, name, public_key, fingerprint, created_at) on public.user_ssh_keys to authenticated;
grant select (id, user_id, name, public_key, fingerprint, created_at),
      insert (id, user_id, name, public_key, fingerprint),
      delete on public.user_ssh_keys to weir_writer;

-- The 51 bytes inside a public key in OpenSSH's form: the length and text of the type, then the length and the 32 bytes of the key. Null
-- for any other text. 51 bytes are 68 characters of base64 without padding, so each key has one text form.
create function weir.ed25519_blob(p_public_key text) returns bytea
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_blob bytea;
begin
  -- One line: the type, the key, and a comment that is not stored.
  if length(p_public_key) > 1000 or p_public_key !~ '^ssh-ed25519 [A-Za-z0-9+/]{68}( [^[:cntrl:]]*)?$' then
    return null;
  end if;
  v_blob := decode(split_part(p_public_key, ' ', 2), 'base64');
  return case when substr(v_blob, 1, 19) = '\x0000000b'::bytea || convert_to('ssh-ed25519', 'UTF8') || '\x00000020'::bytea then v_blob end;
end;
$$;

revoke all on function weir.ed25519_blob from public;
grant execute on function weir.ed25519_blob to weir_writer;

set local role weir_writer;

-- For everybody who is signed in; a person makes keys for themselves. A null p_public_key asks Weir to generate the pair, which is WR010:
-- this release has no vault for the private key. A person has at most 50 keys; an advisory lock of the person makes the count exact. A name
-- or key that exists is WR005. No organization's audit log has a row of it.
create function weir.create_user_ssh_key(p_name text, p_public_key text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_actor constant uuid := weir.actor_id();
  v_id constant uuid := weir.uuid_v7();
  v_blob bytea;
  v_fingerprint text;
  v_refusal jsonb;
  v_constraint text;
begin
  v_act := weir.act('credential', 'create_user_ssh_key', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif weir.name_error('name', p_name) is not null then
    return weir.refuse(v_act, 'WR001', weir.name_error('name', p_name));
  elsif p_public_key is null then
    return weir.refuse(v_act, 'WR010', 'public_key is required: this release has no vault for a private key');
  end if;
  v_blob := weir.ed25519_blob(btrim(left(p_public_key, 2000), e' \n\r'));
  if v_blob is null then
    return weir.refuse(v_act, 'WR001', 'public_key must be an ed25519 key in OpenSSH''s form: ssh-ed25519 AAAA…');
  end if;
  v_fingerprint := 'SHA256:' || rtrim(encode(sha256(v_blob), 'base64'), '=');
  -- One at a time for a person, so that the limit holds.
  perform pg_advisory_xact_lock(hashtextextended('weir.user_ssh_keys ' || v_actor, 0));
  if (select count(*) from public.user_ssh_keys k where k.user_id = v_actor) >= 50 then
    return weir.refuse(v_act, 'WR006', 'a person may have 50 SSH keys: delete one first');
  end if;
  insert into public.user_ssh_keys (id, user_id, name, public_key, fingerprint)
  values (v_id, v_actor, btrim(p_name), 'ssh-ed25519 ' || encode(v_blob, 'base64'), v_fingerprint);
  return jsonb_build_object('id', v_id, 'name', btrim(p_name), 'fingerprint', v_fingerprint);
exception
  when integrity_constraint_violation or insufficient_privilege then
    get stacked diagnostics v_constraint = constraint_name;
    return weir.refuse_violation(v_act, sqlstate, v_constraint, p_name);
end;
$$;
grant execute on function weir.create_user_ssh_key to authenticated;

-- For everybody who is signed in. Row-level security shows them only their own keys, so another person's key is WR004, like one that is
-- already deleted.
create function weir.delete_user_ssh_key(p_ssh_key_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_refusal jsonb;
begin
  v_act := weir.act('credential', 'delete_user_ssh_key', 'signed_in');
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  end if;
  -- Row-level security shows a person only their own keys.
  delete from public.user_ssh_keys k where k.id = p_ssh_key_id;
  if not found then
    return weir.refuse(v_act, 'WR004', 'there is no such key');
  end if;
  return jsonb_build_object('id', p_ssh_key_id, 'deleted', true);
end;
$$;
grant execute on function weir.delete_user_ssh_key to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.create_user_ssh_key(name text, public_key text default null) returns jsonb
language sql volatile begin atomic select weir.create_user_ssh_key($1, $2); end;
create function public.delete_user_ssh_key(ssh_key_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_user_ssh_key($1); end;

revoke all on function public.create_user_ssh_key, public.delete_user_ssh_key from public, anon, authenticated, service_role;
grant execute on function public.create_user_ssh_key, public.delete_user_ssh_key to authenticated;
