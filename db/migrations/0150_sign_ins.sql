-- Sign-ins of the embedded issuer: passwords, refresh tokens, and limits on attempts.

-- One row is a family of refresh tokens. A token is sealed and holds only the sign-in's id and a count. The row stores the one count that
-- is valid. So nothing in the database can be used as a token, and a used token is recognized without being stored.
create table weir.sign_ins (
  id uuid not null default weir.uuid_v7(),
  user_id uuid not null,
  counter integer not null default 0,
  used_at timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by text,
  -- True for a sign-in that the token of an invitation or a recovery opened, until a password is set in it. Such a sign-in may set a
  -- password at any age.
  may_set_password boolean not null default false,
  constraint sign_ins_pkey primary key (id),
  constraint sign_ins_counter_is_not_negative check (counter >= 0),
  constraint sign_ins_are_revoked_for_a_reason
    check ((revoked_at is null) = (revoked_by is null) and revoked_by in ('logout', 'password', 'reuse', 'restore')),
  constraint sign_ins_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table weir.sign_ins enable row level security, force row level security;
revoke all on weir.sign_ins from public, anon, authenticated, service_role;
comment on table weir.sign_ins is 'user: sign-ins of the embedded issuer; the count of the one valid refresh token, never a token';
-- For open_sign_in, which keeps a person's newest fifty, and for the foreign key's cascade.
create index sign_ins_user_id_idx on weir.sign_ins (user_id, created_at desc);
-- For open_sign_in, which deletes families that have ended.
create index sign_ins_expires_at_idx on weir.sign_ins (expires_at);

-- Only the issuer's functions see sign-ins, each for the sign-in or person of a verified token.
create policy sign_ins_are_kept_by_the_issuer on weir.sign_ins for all to weir_system using (true) with check (true);
grant select,
      insert (id, user_id, expires_at, may_set_password),
      update (counter, used_at, expires_at, revoked_at, revoked_by, may_set_password),
      delete on weir.sign_ins to weir_system;

-- Attempts in the current window: by network address (`address`), by e-mail address from one network address (`pair`), and by e-mail
-- address from all networks (`email`). `known` marks a pair that signed in successfully a short time ago; its window is how long it stays
-- known. Subjects are hashed, because a mistyped e-mail address may be a real person's. Rows of past windows are deleted when others sign
-- in.
create table weir.sign_in_attempts (
  kind text not null,
  subject bytea not null,
  window_ends timestamptz not null,
  attempts integer not null,
  constraint sign_in_attempts_pkey primary key (kind, subject),
  constraint sign_in_attempts_kind_is_known check (kind in ('address', 'pair', 'email', 'known')),
  constraint sign_in_attempts_subject_is_sha256 check (octet_length(subject) = 32),
  constraint sign_in_attempts_are_capped check (attempts between 1 and 1000)
);
alter table weir.sign_in_attempts enable row level security, force row level security;
revoke all on weir.sign_in_attempts from public, anon, authenticated, service_role;
comment on table weir.sign_in_attempts is 'platform: recent attempts to sign in';
-- For begin_sign_in, which deletes past windows.
create index sign_in_attempts_window_ends_idx on weir.sign_in_attempts (window_ends);

-- Only the issuer's functions count attempts.
create policy attempts_are_counted_by_the_issuer on weir.sign_in_attempts for all to weir_system using (true) with check (true);
grant select, insert, update (window_ends, attempts), delete on weir.sign_in_attempts to weir_system;

set local role weir_system;

-- The password hash of an address. Definer, called by begin_sign_in before anybody is signed in; the engine verifies the password, so the
-- hash never reaches a client. No row where the users are Supabase's, whose own issuer signs them in.
create function weir.find_login(p_email text) returns table (user_id uuid, password_hash text, disabled boolean)
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from weir.installation i where i.embedded_issuer) then
    return query
      select u.id, u.encrypted_password::text, coalesce(u.banned_until > now(), false)
      from auth.users u where u.email = lower(p_email);
  end if;
end;
$$;
grant execute on function weir.find_login to weir_engine;

-- Creates a login of the embedded issuer. On Supabase only Supabase's issuer creates logins.
create function weir.create_user(p_email text, p_password_hash text) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := weir.uuid_v7();
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'the users of this database are Supabase''s: create them there';
  end if;
  -- The operator enters the address, so it counts as confirmed.
  insert into auth.users (id, email, email_confirmed_at, encrypted_password) values (v_id, lower(p_email), now(), p_password_hash);
  return v_id;
exception
  when unique_violation then
    raise exception using errcode = 'WR005', message = 'a user with this e-mail address exists';
end;
$$;

-- Creates a login, where the operator lets people sign up. The address is unconfirmed, so it accepts no invitation. Null if the address is
-- taken; that is not an error, because anybody can cause it, and each error would be written to PostgreSQL's log. Definer: it writes
-- auth.users before anybody is signed in.
create function weir.sign_up(p_email text, p_password_hash text) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := weir.uuid_v7();
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'the users of this database are Supabase''s: they sign up there';
  end if;
  insert into auth.users (id, email, encrypted_password) values (v_id, lower(p_email), p_password_hash);
  return v_id;
exception
  when unique_violation then
    return null;
end;
$$;
grant execute on function weir.sign_up to weir_engine;

reset role;

-- The migrator calls it and does not own it.
grant execute on function weir.create_user to current_user;

-- Counts one attempt. Returns 0 within the limit, else the seconds until the window ends. The count stops one above the limit, so that a
-- flood stops changing the value. Not a definer: begin_sign_in calls it as weir_system.
create function weir.count_attempt(p_kind text, p_subject text, p_limit integer, p_window interval) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_attempts integer;
  v_window_ends timestamptz;
begin
  insert into weir.sign_in_attempts as a (kind, subject, window_ends, attempts)
  values (p_kind, sha256(convert_to(p_subject, 'UTF8')), clock_timestamp() + p_window, 1)
  on conflict (kind, subject) do update
    -- After the window has ended, this attempt begins a new one.
    set attempts = case when a.window_ends <= clock_timestamp() then 1 else least(a.attempts + 1, p_limit + 1) end,
        window_ends = case when a.window_ends <= clock_timestamp() then excluded.window_ends else a.window_ends end
  returning a.attempts, a.window_ends into v_attempts, v_window_ends;
  return case when v_attempts <= p_limit then 0 else greatest(1, ceil(extract(epoch from v_window_ends - clock_timestamp()))::integer) end;
end;
$$;

-- The network of one subscriber: an IPv4 address, or a /64 of IPv6. One subscriber can use all 2^64 addresses of a /64.
create function weir.network_of(p_address inet) returns text
language sql immutable parallel safe
  return host(network(set_masklen(p_address, case family(p_address) when 4 then 32 else 64 end)));

revoke all on function weir.count_attempt, weir.network_of from public;
grant execute on function weir.count_attempt, weir.network_of to weir_system;

set local role weir_system;

-- Begins a sign-in, before the password is verified: one statement returns whether the attempt is permitted, and the hash. There are three
-- limits, and each is counted only if the one before permitted the attempt:
--   30 a minute from one network address, for all e-mail addresses together;
--   10 in five minutes for one e-mail address from one network address, which locks out nobody on another network;
--   100 in five minutes for one e-mail address from all networks where nobody has signed in to it recently. This slows down guessing from
--   many addresses, and the person still signs in from where they usually do.
-- Without an e-mail address (to sign up) only the network address counts. A refusal says which limit it was and for how many seconds, so
-- that a replica need not ask again during that time. Definer: it reads a password hash before anybody is signed in. Executed by
-- weir_engine only.
create function weir.begin_sign_in(p_email text, p_address inet)
returns table (allowed boolean, user_id uuid, password_hash text, disabled boolean, limited_by text, retry_after integer)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
-- In statements, a name like `user_id` means the column.
#variable_conflict use_column
declare
  v_network constant text := weir.network_of(p_address);
  v_pair constant text := lower(p_email) || ' ' || v_network;
begin
  -- Always in this order, so that attempts never deadlock.
  limited_by := 'address';
  retry_after := weir.count_attempt('address', v_network, 30, '1 minute');
  if retry_after = 0 and p_email is not null then
    limited_by := 'pair';
    retry_after := weir.count_attempt('pair', v_pair, 10, '5 minutes');
    if retry_after = 0 and not exists (select from weir.sign_in_attempts a
                                       where a.kind = 'known' and a.subject = sha256(convert_to(v_pair, 'UTF8'))
                                         and a.window_ends > clock_timestamp()) then
      limited_by := 'email';
      retry_after := weir.count_attempt('email', lower(p_email), 100, '5 minutes');
    end if;
  end if;
  allowed := retry_after = 0;
  limited_by := case when not allowed then limited_by end;
  -- Past windows are deleted last, and locked rows are skipped. So this transaction waits for no other while it holds counters.
  delete from weir.sign_in_attempts a
  where (a.kind, a.subject) in (
    select o.kind, o.subject from weir.sign_in_attempts o where o.window_ends < clock_timestamp() - interval '1 minute'
    order by o.window_ends limit 100 for update skip locked);
  -- A refused attempt does not get the hash, so no password is verified for it.
  if allowed and p_email is not null then
    select l.user_id, l.password_hash, l.disabled into user_id, password_hash, disabled from weir.find_login(p_email) l;
  end if;
  return next;
end;
$$;
grant execute on function weir.begin_sign_in to weir_engine;

-- Begins a family after the password or a token was verified; its first token has count 0. p_password_hash is the hash that the password
-- was verified against, if there was a password. Returns null if the user has another hash by now, because a change of the password ends
-- all other sign-ins. The attempts from that network are forgotten, and the network is known for thirty days. A person keeps only their
-- newest fifty sign-ins. Definer: it is the issuer's; the caller has verified the person.
create function weir.open_sign_in(
  p_user_id uuid, p_address inet, p_password_hash text default null, p_may_set_password boolean default false) returns uuid
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id constant uuid := weir.uuid_v7();
  v_hash text;
  v_pair bytea;
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'people sign in at their own issuer';
  end if;
  -- The lock waits for a change of the password that has not committed yet.
  select u.encrypted_password::text, sha256(convert_to(u.email || ' ' || weir.network_of(p_address), 'UTF8')) into v_hash, v_pair
  from auth.users u where u.id = p_user_id for share;
  if p_password_hash is not null and v_hash is distinct from p_password_hash then
    return null;
  end if;
  delete from weir.sign_in_attempts a where a.kind = 'pair' and a.subject = v_pair;
  insert into weir.sign_in_attempts as a (kind, subject, window_ends, attempts)
  select 'known', v_pair, clock_timestamp() + interval '30 days', 1 where v_pair is not null
  on conflict (kind, subject) do update set window_ends = excluded.window_ends;
  -- At most a few ended families are deleted at a time, so that no sign-in becomes slow.
  delete from weir.sign_ins s
  where s.id in (select o.id from weir.sign_ins o where o.expires_at < clock_timestamp() - interval '1 day' limit 20 for update skip locked)
     or s.id in (select o.id from weir.sign_ins o where o.user_id = p_user_id order by o.created_at desc offset 49);
  insert into weir.sign_ins (id, user_id, expires_at, may_set_password)
  values (v_id, p_user_id, clock_timestamp() + interval '7 days', p_may_set_password);
  return v_id;
end;
$$;
grant execute on function weir.open_sign_in to weir_engine;

-- Uses a refresh token once. The row's lock orders concurrent requests. The first gets the next token. A request with the previous token
-- within ten seconds (its answer was lost, or two tabs refresh) gets that same next token. Any older token was stolen or copied, and ends
-- the family. A family also ends when it is unused for a week, or is thirty days old. If problem is null, counter is the count of the token
-- to issue. Definer: it is the issuer's; the sign-in is that of the sealed token.
create function weir.refresh_sign_in(p_id uuid, p_counter integer)
returns table (problem text, counter integer, user_id uuid)
language plpgsql volatile security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_sign_in weir.sign_ins;
begin
  if not exists (select from weir.installation i where i.embedded_issuer) then
    raise exception using errcode = 'WR010', message = 'people sign in at their own issuer';
  end if;
  select s.* into v_sign_in from weir.sign_ins s where s.id = p_id for update;
  user_id := v_sign_in.user_id;
  counter := v_sign_in.counter;
  -- The first problem that applies is returned.
  problem := case
    when v_sign_in.id is null or v_sign_in.revoked_at is not null then 'session_not_found'
    when v_sign_in.expires_at <= clock_timestamp() then 'session_expired'
    -- A ban takes effect with the next refresh.
    when (select u.banned_until > now() from auth.users u where u.id = v_sign_in.user_id) then 'user_banned'
    when p_counter > v_sign_in.counter then 'refresh_token_not_found'
    when p_counter < v_sign_in.counter - 1
         or (p_counter < v_sign_in.counter and v_sign_in.used_at <= clock_timestamp() - interval '10 seconds')
      then 'refresh_token_already_used'
  end;
  -- Returned and not raised, so that the revocation commits.
  if problem = 'refresh_token_already_used' then
    update weir.sign_ins s set revoked_at = clock_timestamp(), revoked_by = 'reuse' where s.id = p_id;
  elsif problem is null and p_counter = v_sign_in.counter then
    counter := p_counter + 1;
    update weir.sign_ins s
    set counter = p_counter + 1, used_at = clock_timestamp(),
        expires_at = least(s.created_at + interval '30 days', clock_timestamp() + interval '7 days')
    where s.id = p_id;
  end if;
  return next;
end;
$$;
grant execute on function weir.refresh_sign_in to weir_engine;

-- The person of a verified access token. No row if there is no such person, they are banned, or that sign-in has ended. If p_sign_in_id is
-- null, the token names no sign-in, and only the person is looked up. Definer: only the issuer's functions read auth.users.
create function weir.signed_in_user(p_user_id uuid, p_sign_in_id uuid)
returns table (email text, email_confirmed_at timestamptz, created_at timestamptz, updated_at timestamptz, signed_in_at timestamptz)
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
    select u.email::text, u.email_confirmed_at, u.created_at, u.updated_at, s.created_at
    from auth.users u left join weir.sign_ins s on s.id = p_sign_in_id and s.user_id = u.id
    where u.id = p_user_id and not coalesce(u.banned_until > now(), false)
      and (p_sign_in_id is null or (s.revoked_at is null and s.expires_at > clock_timestamp()));
end;
$$;
grant execute on function weir.signed_in_user to weir_engine;

-- Signs out: this sign-in (`local`), all of the person (`global`), or all others (`others`). Returns how many ended; an unknown scope ends
-- none. Definer: it is the issuer's; the person is that of the verified token.
create function weir.close_sign_ins(p_user_id uuid, p_sign_in_id uuid, p_scope text) returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_count integer;
begin
  update weir.sign_ins s set revoked_at = clock_timestamp(), revoked_by = 'logout'
  where s.user_id = p_user_id and s.revoked_at is null
    and case p_scope when 'global' then true when 'local' then s.id = p_sign_in_id when 'others' then s.id is distinct from p_sign_in_id
        else false end;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
grant execute on function weir.close_sign_ins to weir_engine;

-- Whether the caller signed in within the last 15 minutes, by the claims of the verified token. Functions whose changes cannot be undone,
-- or that all organizations depend on, require it, so that a token that is stolen later cannot call them. Weir's process writes
-- `auth_time`; a Supabase project's own API shows the token unchanged, whose `amr` lists methods with timestamps. Without either the answer
-- is false. The embedded issuer's claims name the sign-in (`session_id`); after it has ended, the answer is false. Definer: no other role
-- reads sign-ins; the sign-in is that of the verified token.
create function weir.signed_in_recently() returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claims constant jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
  v_seconds numeric;
  v_sign_in constant uuid := case when v_claims ->> 'session_id' ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
                                  then (v_claims ->> 'session_id')::uuid end;
begin
  if weir.actor_id() is null then
    return false;
  elsif v_claims ? 'auth_time' then
    v_seconds := case jsonb_typeof(v_claims -> 'auth_time') when 'number' then (v_claims ->> 'auth_time')::numeric end;
  else
    -- A refresh does not count as a sign-in.
    select max((m.value ->> 'timestamp')::numeric) into v_seconds
    from jsonb_array_elements(case jsonb_typeof(v_claims -> 'amr') when 'array' then v_claims -> 'amr' else '[]' end) m
    where jsonb_typeof(m.value -> 'timestamp') = 'number' and m.value ->> 'method' is distinct from 'token_refresh';
  end if;
  -- Clocks may differ by a minute. A time further in the future is not valid.
  if v_seconds is null or v_seconds not between extract(epoch from now()) - 900 and extract(epoch from now()) + 60 then
    return false;
  end if;
  return not v_claims ? 'session_id'
    or not exists (select from weir.installation i where i.embedded_issuer)
    or exists (select from weir.sign_ins s
               where s.id = v_sign_in and s.user_id = weir.actor_id() and s.revoked_at is null
                 and s.expires_at > clock_timestamp());
end;
$$;
grant execute on function weir.signed_in_recently to weir_writer;

reset role;
