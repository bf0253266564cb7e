-- The operator's settings that SQL decides by, and who runs the platform. Only the owner of the schema may execute the functions that write
-- them, over a connection that serves no request. They are definers nevertheless, because forced row-level security binds the owner too.

-- Settings are in the database because SQL decides by them. The operator writes them (weir.set_setting). The list of names is closed, so a
-- misspelled name is an error and not a setting without effect.
--   chat_tools         whether chat turns may use tools; absent: true
--   equal_denials      how many equal denials of one minute get a row each (1 to 1000); absent: 10
--   identity_issuers   issuers whose people become users at their first sign-in, as URLs
--   models             models that an organization may choose, {"provider": ["model"]}
--   public_url         where clients reach Weir, without a trailing slash; absent or null: addresses in answers are null
create table weir.settings (
  name text not null,
  value jsonb not null,
  updated_at timestamptz not null default now(),
  constraint settings_pkey primary key (name),
  constraint settings_name_is_known check (name in ('chat_tools', 'equal_denials', 'identity_issuers', 'models', 'public_url')),
  constraint settings_chat_tools_is_true_or_false check (name <> 'chat_tools' or jsonb_typeof(value) = 'boolean'),
  -- `case` fixes the order: a value that is not a number must not reach the cast.
  constraint settings_equal_denials_is_1_to_1000
    check (name <> 'equal_denials' or case jsonb_typeof(value) when 'number' then value::numeric between 1 and 1000 else false end),
  constraint settings_public_url_is_http
    check (name <> 'public_url' or value = 'null' or jsonb_typeof(value) = 'string' and length(value #>> '{}') <= 2048
             and value #>> '{}' ~ '^https?://[^/?#@\s]+(/[^/?#\s]+)*$')
);
alter table weir.settings enable row level security, force row level security;
revoke all on weir.settings from public, anon, authenticated, service_role;
comment on table weir.settings is 'platform: the operator''s settings that SQL decides by; written by the owner only';

-- Functions of weir_system answer questions about a setting. No other role reads the table.
create policy settings_are_read_by_the_engine on weir.settings for all to weir_system using (true) with check (true);
grant select, insert (name, value), update (value, updated_at) on weir.settings to weir_system;

-- Written only over the owner's connection (weir.add_platform_admin): no published function creates a platform admin.
create table weir.platform_admins (
  user_id uuid not null,
  created_at timestamptz not null default now(),
  constraint platform_admins_pkey primary key (user_id),
  constraint platform_admins_user foreign key (user_id) references auth.users (id) on delete cascade
);
alter table weir.platform_admins enable row level security, force row level security;
revoke all on weir.platform_admins from public, anon, authenticated, service_role;
comment on table weir.platform_admins is 'platform: who publishes the catalog and registers nodes';

-- For weir.add_platform_admin, which only inserts.
create policy platform_admins_are_kept_by_the_engine on weir.platform_admins for all to weir_system using (true) with check (true);
grant select, insert (user_id) on weir.platform_admins to weir_system;

set local role weir_system;

-- The table's constraints define the allowed names and values.
create function weir.set_setting(p_name text, p_value jsonb) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into weir.settings as s (name, value) values (p_name, p_value)
  on conflict (name) do update set value = excluded.value, updated_at = now();
end;
$$;

-- Called by `weir platform-admin add`. A repeated call changes nothing.
create function weir.add_platform_admin(p_user_id uuid) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into weir.platform_admins (user_id) values (p_user_id) on conflict do nothing;
exception
  when foreign_key_violation or not_null_violation then
    raise exception using errcode = 'WR004', message = 'there is no such user';
end;
$$;

-- Where clients reach Weir; null if no address is set. Definer, because only weir_system reads settings; the address is not secret.
create function weir.public_url() returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic select s.value #>> '{}' from weir.settings s where s.name = 'public_url'; end;
grant execute on function weir.public_url to authenticated, weir_writer, weir_engine;

-- Whether the caller runs the platform. Definer, because no other role reads the table; it answers for the caller only.
create function weir.is_platform_admin() returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic select exists (select from weir.platform_admins p where p.user_id = weir.actor_id()); end;
grant execute on function weir.is_platform_admin to authenticated, weir_writer;

reset role;

-- The migrator calls these and does not own them.
grant execute on function weir.set_setting, weir.add_platform_admin to current_user;

-- The setting public_url was changed or inserted.
create function weir.on_public_url_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.mcp_server_instances i set endpoint_url = (new.value #>> '{}') || '/mcp/' || i.instance_name
  where i.endpoint_url is distinct from (new.value #>> '{}') || '/mcp/' || i.instance_name;
  return null;
end;
$$;

revoke all on function weir.on_public_url_change from public;

create trigger addresses_of_instances after insert or update on weir.settings
  for each row when (new.name = 'public_url') execute function weir.on_public_url_change();
