-- People of the embedded issuer: joining by an invitation, recovering from a lost password, and what a platform admin does for them.

-- Each user has at most one recovery: a newer one replaces it, and a used one is deleted. Only the hash of its token is stored.
create table weir.recoveries (
  user_id uuid not null,
  token_hash bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  constraint recoveries_pkey primary key (user_id),
  constraint recoveries_token_hash_key unique (token_hash),
  constraint recoveries_token_is_sha256 check (octet_length(token_hash) = 32),
  constraint recoveries_last_30_minutes_at_most check (expires_at <= created_at + interval '30 minutes'),
  constraint recoveries_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table weir.recoveries enable row level security, force row level security;
revoke all on weir.recoveries from public, anon, authenticated, service_role;
comment on table weir.recoveries is 'user: hashes of tokens by which a person who forgot the password signs in once';

-- A token arrives before anybody is signed in, and a platform admin makes it for another person.
create policy recoveries_are_kept_by_the_issuer on weir.recoveries for all to weir_system using (true) with check (true);
grant select, insert (user_id, token_hash, created_at, expires_at), update (token_hash, created_at, expires_at), delete
  on weir.recoveries to weir_system;

-- Makes this person the actor for the rest of the transaction, so that what follows is done and recorded in their name. Only for functions
-- of the issuer that have verified the person; the engine's sessions have no claims.
create function weir.act_as(p_user_id uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform set_config('request.jwt.claims', jsonb_build_object('sub', p_user_id, 'role', 'authenticated')::text, true);
end;
$$;

-- What is wrong with the token of a recovery, or null.
create function weir.recovery_token_error(p_token text) returns text
language sql immutable parallel safe
  return case when p_token is null or octet_length(p_token) <> 43 or p_token !~ '^[A-Za-z0-9]{43}$'
              then 'token must be 43 letters and digits' end;

-- Stores a recovery that is valid for 30 minutes, and replaces an older one. The caller has checked the permission.
create function weir.keep_recovery(p_user_id uuid, p_token text) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_expires_at timestamptz;
begin
  insert into weir.recoveries as r (user_id, token_hash, created_at, expires_at)
  values (p_user_id, sha256(convert_to(p_token, 'UTF8')), now(), now() + interval '30 minutes')
  on conflict (user_id) do update
    set token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
  returning r.expires_at into v_expires_at;
  return jsonb_build_object('recovery_token', p_token, 'expires_at', v_expires_at, 'link', weir.public_url() || '/#recovery=' || p_token);
end;
$$;

revoke all on function weir.act_as, weir.recovery_token_error, weir.keep_recovery from public;
grant execute on function weir.act_as, weir.recovery_token_error, weir.keep_recovery to weir_system;

set local role weir_system;

-- Creates an account for the address that was invited, opens a sign-in, and accepts the invitation, all in this transaction. It works also
-- where people may not sign up. The token proves this one membership and not the address, so the address stays unconfirmed. It does not
-- sign in to an existing account: the person who invited knows the token and could take over the account. The new account has no password,
-- and the sign-in may set one. If problem is null, the person is signed in.
--   otp_expired      one answer for a token that is unknown, used, expired or revoked, and if the inviter or the organization is not
--                    active or the inviter may no longer invite
--   user_exists      the address has an account
--   quota_exceeded   max_members of the organization is reached
-- Definer, for the engine only: nobody is signed in yet.
create function weir.verify_invitation(p_token_hash bytea, p_address inet) returns table (problem text, user_id uuid, sign_in_id uuid)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_act weir.act := weir.act('lifecycle', 'accept_invitation');
  v_invitation public.organization_invitations;
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'people sign in at their own issuer';
  end if;
  -- Only for an open invitation, so that an old token blocks no calls of the organization.
  perform weir.lock_organization(i.organization_id) from public.organization_invitations i
  where i.token_hash = p_token_hash and i.accepted_at is null and i.revoked_at is null and i.expires_at > clock_timestamp();
  v_invitation := weir.open_invitation(p_token_hash);
  v_act.organization_id := v_invitation.organization_id;
  problem := case when v_invitation.id is null then 'otp_expired'
                  when exists (select from auth.users u where u.email = v_invitation.email) then 'user_exists'
                  when weir.is_full_for(v_invitation) then 'quota_exceeded' end;
  if problem is null then
    user_id := weir.uuid_v7();
    -- The address may sign up at the same moment, or accept another organization's invitation.
    insert into auth.users (id, email) values (user_id, v_invitation.email) on conflict do nothing;
    if not found then
      user_id := null;
      problem := 'user_exists';
    end if;
  end if;
  if problem is null then
    perform weir.act_as(user_id);
    perform weir.join_by_invitation(v_act, v_invitation);
    sign_in_id := weir.open_sign_in(user_id, p_address, p_may_set_password => true);
  end if;
  return next;
end;
$$;
grant execute on function weir.verify_invitation to weir_engine;

-- Uses a recovery and opens a sign-in of its person, in which they may set a password. The old password and all other sign-ins end, because
-- another person may have created the account for an address that was not theirs. problem is otp_expired for a token that is unknown, used
-- or expired, and for a user who is banned. Deleting the row uses the token once: of two requests at once, the second finds no row.
-- Definer, for the engine only: nobody is signed in yet.
create function weir.verify_recovery(p_token_hash bytea, p_address inet) returns table (problem text, user_id uuid, sign_in_id uuid)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'people sign in at their own issuer';
  end if;
  -- The user is locked first, as in weir.set_password; otherwise the two functions could deadlock.
  perform from auth.users u where u.id = (select r.user_id from weir.recoveries r where r.token_hash = p_token_hash) for update;
  delete from weir.recoveries r
  where r.token_hash = p_token_hash and r.expires_at > clock_timestamp() and not weir.is_banned(r.user_id)
  returning r.user_id into user_id;
  if user_id is null then
    problem := 'otp_expired';
  else
    perform weir.act_as(user_id);
    update weir.sign_ins s set revoked_at = clock_timestamp(), revoked_by = 'password'
    where s.user_id = verify_recovery.user_id and s.revoked_at is null;
    update auth.users u set encrypted_password = null, updated_at = now() where u.id = verify_recovery.user_id;
    sign_in_id := weir.open_sign_in(user_id, p_address, p_may_set_password => true);
    perform weir.record_act(weir.act('credential', 'use_recovery', p_organization_id => weir.platform_id()), user_id::text);
  end if;
  return next;
end;
$$;
grant execute on function weir.verify_recovery to weir_engine;

-- Sets the password of the person who is signed in, and ends all their other sign-ins and an open recovery. It requires a sign-in that is
-- younger than 15 minutes, or one that a token opened and that has set no password yet. So a token that is stolen later cannot lock the
-- person out. Returns null, or the problem. With a null p_password_hash it only checks, before a password is hashed. Definer: it is the
-- issuer's; person and sign-in are those of the verified token.
create function weir.set_password(p_user_id uuid, p_sign_in_id uuid, p_password_hash text) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sign_in weir.sign_ins;
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'people sign in at their own issuer';
  end if;
  -- The user is locked first: of two sign-ins that set a password at once, the second finds that it was ended.
  perform from auth.users u where u.id = p_user_id for update;
  select s.* into v_sign_in from weir.sign_ins s
  where s.id = p_sign_in_id and s.user_id = p_user_id and s.revoked_at is null and s.expires_at > clock_timestamp();
  if v_sign_in.id is null or weir.is_banned(p_user_id) then
    return 'session_not_found';
  elsif not (v_sign_in.may_set_password or v_sign_in.created_at > clock_timestamp() - interval '15 minutes') then
    return 'reauthentication_needed';
  elsif p_password_hash is null then
    return null;
  end if;
  update auth.users u set encrypted_password = p_password_hash, updated_at = now() where u.id = p_user_id;
  update weir.sign_ins s set may_set_password = false where s.id = p_sign_in_id;
  update weir.sign_ins s set revoked_at = clock_timestamp(), revoked_by = 'password'
  where s.user_id = p_user_id and s.id <> p_sign_in_id and s.revoked_at is null;
  delete from weir.recoveries r where r.user_id = p_user_id;
  perform weir.act_as(p_user_id);
  perform weir.record_act(weir.act('credential', 'set_password', p_organization_id => weir.platform_id()), p_user_id::text);
  return null;
end;
$$;
grant execute on function weir.set_password to weir_engine;

-- For platform admins with a recent sign-in: creates an account without a password, and a recovery by which its person sets one. The
-- operator enters the address, so it counts as confirmed, as with `weir user create`. The caller generates the token at random, as for an
-- invitation and an agent's key: only the hash of a secret is stored, and a caller whose answer was lost still has the secret. Definer:
-- nobody is signed in to the account yet.
create function weir.create_user_by_recovery(p_email text, p_token text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act constant weir.act := weir.act('credential', 'create_user', 'platform_admin', 'only a platform admin makes users',
                                      weir.platform_id());
  v_email text;
  v_id uuid;
  v_refusal jsonb;
begin
  v_refusal := coalesce(weir.authorize(v_act), weir.refuse_old_sign_in(v_act));
  if v_refusal is not null then
    return v_refusal;
  end if;
  v_email := lower(btrim(left(p_email, 1000)));
  if not exists (select from weir.installation i where i.embedded_issuer) then
    return weir.refuse(v_act, 'WR010', 'the users of this database are Supabase''s: create them there');
  elsif v_email is null or length(v_email) > 320 or v_email !~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$' then
    return weir.refuse(v_act, 'WR001', 'email must be an e-mail address');
  elsif weir.recovery_token_error(p_token) is not null then
    return weir.refuse(v_act, 'WR001', weir.recovery_token_error(p_token));
  end if;
  v_id := weir.uuid_v7();
  insert into auth.users (id, email, email_confirmed_at) values (v_id, v_email, now()) on conflict do nothing;
  if not found then
    return weir.refuse(v_act, 'WR005', 'a user with this e-mail address exists',
                       'Find it with list_users, and make a recovery (create_recovery).');
  end if;
  perform weir.record_act(v_act, v_id::text);
  return jsonb_build_object('id', v_id, 'email', v_email) || weir.keep_recovery(v_id, p_token);
exception
  when unique_violation then
    return weir.refuse(v_act, 'WR005', 'token is in use: generate another one');
end;
$$;
grant execute on function weir.create_user_by_recovery to authenticated;

-- For platform admins with a recent sign-in: a token by which a person who forgot the password signs in once, within 30 minutes, and sets a
-- new one. Definer: it is another person's account.
create function weir.create_recovery(p_user_id uuid, p_token text) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act constant weir.act := weir.act('credential', 'create_recovery', 'platform_admin', 'only a platform admin makes recoveries',
                                      weir.platform_id());
  v_refusal jsonb;
begin
  v_refusal := coalesce(weir.authorize(v_act), weir.refuse_old_sign_in(v_act));
  if v_refusal is not null then
    return v_refusal;
  elsif not exists (select from weir.installation i where i.embedded_issuer) then
    return weir.refuse(v_act, 'WR010', 'the users of this database are Supabase''s: recover them there');
  elsif weir.recovery_token_error(p_token) is not null then
    return weir.refuse(v_act, 'WR001', weir.recovery_token_error(p_token));
  -- A person of another issuer has no address here and no password.
  elsif not exists (select from auth.users u where u.id = p_user_id and u.email is not null) then
    return weir.refuse(v_act, 'WR004', 'there is no such user');
  end if;
  perform weir.record_act(v_act, p_user_id::text);
  return jsonb_build_object('id', p_user_id) || weir.keep_recovery(p_user_id, p_token);
exception
  when unique_violation then
    return weir.refuse(v_act, 'WR005', 'token is in use: generate another one');
end;
$$;
grant execute on function weir.create_recovery to authenticated;

-- For platform admins with a recent sign-in: the operator vouches for the address, so that its person can accept invitations to it. A
-- repeated call leaves no row in the audit log. Definer: it is another person's account.
create function weir.confirm_user_email(p_user_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act constant weir.act := weir.act('credential', 'confirm_user_email', 'platform_admin', 'only a platform admin confirms addresses',
                                      weir.platform_id());
  v_refusal jsonb;
begin
  v_refusal := coalesce(weir.authorize(v_act), weir.refuse_old_sign_in(v_act));
  if v_refusal is not null then
    return v_refusal;
  elsif not exists (select from weir.installation i where i.embedded_issuer) then
    return weir.refuse(v_act, 'WR010', 'the users of this database are Supabase''s: confirm them there');
  elsif not exists (select from auth.users u where u.id = p_user_id and u.email is not null) then
    return weir.refuse(v_act, 'WR004', 'there is no such user');
  end if;
  update auth.users u set email_confirmed_at = now(), updated_at = now() where u.id = p_user_id and u.email_confirmed_at is null;
  if found then
    perform weir.record_act(v_act, p_user_id::text);
  end if;
  return (select jsonb_build_object('id', u.id, 'email', u.email, 'email_confirmed_at', u.email_confirmed_at)
          from auth.users u where u.id = p_user_id);
end;
$$;
grant execute on function weir.confirm_user_email to authenticated;

-- For platform admins: the users of the embedded issuer, newest first, with the id of the last one as `next`. p_email: only the user with
-- this address. p_before: the `next` of the previous page. p_limit is 50 if null, and at most 200. The reading is recorded, because these
-- are people of all organizations. Definer: no other role reads auth.users.
create function weir.list_users(p_email text, p_before uuid, p_limit integer) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act constant weir.act := weir.act('admin_read', 'list_users', 'platform_admin', 'only a platform admin lists users',
                                      weir.platform_id());
  v_limit integer;
  v_rows jsonb;
  v_refusal jsonb;
begin
  v_refusal := weir.authorize(v_act);
  if v_refusal is not null then
    return v_refusal;
  elsif not exists (select from weir.installation i where i.embedded_issuer) then
    return weir.refuse(v_act, 'WR010', 'the users of this database are Supabase''s: list them there');
  elsif coalesce(p_limit, 50) not between 1 and 200 then
    return weir.refuse(v_act, 'WR001', 'limit must be 1 to 200');
  elsif length(p_email) > 320 then
    return weir.refuse(v_act, 'WR001', 'email must be at most 320 characters');
  end if;
  v_limit := coalesce(p_limit, 50);
  perform weir.record_act(v_act, concat_ws(' ', p_email, p_before));
  select coalesce(jsonb_agg(to_jsonb(r) order by r.id desc), '[]') into v_rows
  from (
    select u.id, u.email, u.email_confirmed_at, u.created_at, u.banned_until, u.encrypted_password is not null as has_password,
           (select p.display_name from public.user_profiles p where p.user_id = u.id) as display_name,
           (select max(s.created_at) from weir.sign_ins s where s.user_id = u.id) as last_sign_in_at
    from auth.users u
    where u.email is not null and (p_email is null or u.email = lower(btrim(p_email))) and (p_before is null or u.id < p_before)
    order by u.id desc
    limit v_limit) r;
  return jsonb_build_object('rows', v_rows,
                            'next', case when jsonb_array_length(v_rows) = v_limit then v_rows -> -1 -> 'id' end);
end;
$$;
grant execute on function weir.list_users to authenticated;

-- For every active member: the members of the organization, without those who were removed. Only admins see addresses: they know them from
-- their invitations, and need them to distinguish people of one name. Other members see names, as in user_profiles. Ordered by user id;
-- p_after is the last id of the previous page. p_limit is 100 if null, and at most 500. Definer, because no person reads the addresses of
-- others; it begins with the permission check.
create function weir.list_members(p_organization_id uuid, p_after uuid, p_limit integer)
returns table (user_id uuid, display_name text, email text, email_confirmed boolean, role text, status text, joined_at timestamptz)
language plpgsql stable security definer rows 100
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_is_admin boolean;
begin
  perform weir.require_sign_in();
  if not exists (select from weir.my_organizations() o where o = p_organization_id) then
    raise exception using errcode = 'WR004', message = 'there is no such organization';
  elsif coalesce(p_limit, 100) not between 1 and 500 then
    raise exception using errcode = 'WR001', message = 'limit must be 1 to 500';
  end if;
  v_is_admin := exists (select from weir.my_organizations('admin') o where o = p_organization_id);
  return query
    select m.user_id, p.display_name, case when v_is_admin then coalesce(a.email, d.email) end,
           case when v_is_admin then coalesce(a.email = weir.confirmed_email(m.user_id), d.email_verified, false) end,
           m.role, m.status, m.created_at
    from (
      select o.user_id, o.role, o.status, o.created_at from public.organization_members o
      where o.organization_id = p_organization_id and o.status <> 'removed' and (p_after is null or o.user_id > p_after)
      order by o.user_id limit coalesce(p_limit, 100)) m
    left join public.user_profiles p on p.user_id = m.user_id
    -- For a person of another issuer, the address is the one that their issuer stated last.
    left join lateral (
      select i.email, i.email_verified from weir.identities i
      where i.user_id = m.user_id and i.email is not null order by i.email_verified desc, i.updated_at desc limit 1) d on true
    cross join lateral (select case when v_is_admin then weir.email_of(m.user_id) end as email) a
    order by m.user_id;
end;
$$;
grant execute on function weir.list_members to authenticated;

reset role;

-- The published names; parameter names are API.
create function public.list_members(organization_id uuid, after uuid default null, "limit" integer default null)
returns table (user_id uuid, display_name text, email text, email_confirmed boolean, role text, status text, joined_at timestamptz)
language sql stable rows 100 begin atomic select * from weir.list_members($1, $2, $3); end;
create function public.create_user(email text, token text) returns jsonb
language sql volatile begin atomic select weir.create_user_by_recovery($1, $2); end;
create function public.create_recovery(user_id uuid, token text) returns jsonb
language sql volatile begin atomic select weir.create_recovery($1, $2); end;
create function public.confirm_user_email(user_id uuid) returns jsonb
language sql volatile begin atomic select weir.confirm_user_email($1); end;
create function public.list_users(email text default null, before uuid default null, "limit" integer default null) returns jsonb
language sql volatile begin atomic select weir.list_users($1, $2, $3); end;

revoke all on function public.list_members, public.create_user, public.create_recovery, public.confirm_user_email, public.list_users
  from public, anon, authenticated, service_role;
grant execute on function public.list_members, public.create_user, public.create_recovery, public.confirm_user_email, public.list_users
  to authenticated;
