-- What a backup reads. It gives weir_backup a policy on every table, so this file comes after all files that create one. A later table
-- brings its own policy.

grant usage on schema weir to weir_backup;

-- Loops over the existing tables, because all of them need the same policy. Tables in `public` and auth.users are Weir's only if their
-- comment names one of the four classes (tenant, user, platform, global).
do $$
declare
  v_table regclass;
begin
  for v_table in
    select c.oid::regclass
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relrowsecurity and c.relowner = current_user::regrole
      and (n.nspname = 'weir' or c.oid = to_regclass('auth.users')
           or n.nspname = 'public' and pg_catalog.obj_description(c.oid, 'pg_class') ~ '^(tenant|user|platform|global): ')
      and not exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid and p.polname = 'everything_is_read_by_the_backup')
  loop
    execute format('create policy everything_is_read_by_the_backup on %s for select to weir_backup using (true)', v_table);
    execute format('grant select on %s to weir_backup', v_table);
  end loop;
  -- On Supabase the users are the project's, and so is their backup.
  if (select i.embedded_issuer from weir.installation i) then
    grant usage on schema auth to weir_backup;
  end if;
end
$$;

-- The tables of a backup. columns: those that a restore loads (generated ones are computed again). refers_to: the tables that must be
-- loaded before. is_readable: whether weir_backup reads all rows; if not, a backup ends with an error. The audit log is one table here,
-- whatever its months. Migrations are not data: a restore runs them. Not a definer; weir_backup calls it.
create function weir.backup_tables() returns table (name text, columns text[], refers_to text[], is_readable boolean)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select format('%I.%I', n.nspname, c.relname),
         array(select quote_ident(a.attname) from pg_attribute a
               where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum),
         array(select distinct format('%I.%I', fn.nspname, f.relname)
               from pg_constraint k join pg_class f on f.oid = k.confrelid join pg_namespace fn on fn.oid = f.relnamespace
               where k.conrelid = c.oid and k.contype = 'f' and f.oid <> c.oid),
         -- A permissive policy that is `true`, and no restrictive policy that could hide rows.
         has_table_privilege('weir_backup', c.oid, 'select')
           and exists (select from pg_policy p where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('r', '*')
                         and (select r.oid from pg_roles r where r.rolname = 'weir_backup') = any(p.polroles)
                         and pg_get_expr(p.polqual, p.polrelid) = 'true')
           and not exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive
                             and p.polroles && array[0, (select r.oid from pg_roles r where r.rolname = 'weir_backup')])
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and not c.relispartition and n.nspname in ('weir', 'public', 'auth')
    and (n.nspname = 'weir' or obj_description(c.oid, 'pg_class') ~ '^(tenant|user|platform|global): ')
    and (n.nspname, c.relname) <> ('weir', 'schema_migrations')
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  order by 1;
end;

-- A summary of the audit log, to compare a backup with what was restored: the number of rows, the exclusive-or of their hashes (which no
-- order changes; as four numbers, because PostgreSQL has no such aggregate for 256 bits), the months, and the last ten rows.
create function weir.log_summary() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select jsonb_build_object(
    'rows', (select count(*) from public.mcp_interaction_logs),
    'hashes', (select jsonb_build_array(
        coalesce(bit_xor(('x' || encode(substring(l.leaf from 1 for 8), 'hex'))::bit(64)::bigint), 0)::text,
        coalesce(bit_xor(('x' || encode(substring(l.leaf from 9 for 8), 'hex'))::bit(64)::bigint), 0)::text,
        coalesce(bit_xor(('x' || encode(substring(l.leaf from 17 for 8), 'hex'))::bit(64)::bigint), 0)::text,
        coalesce(bit_xor(('x' || encode(substring(l.leaf from 25 for 8), 'hex'))::bit(64)::bigint), 0)::text)
      from public.mcp_interaction_logs l),
    'months', (select coalesce(jsonb_agg(to_char(m.month, 'YYYY-MM-DD') order by m.month), '[]')
      from (select distinct date_trunc('month', l.created_at, 'UTC') at time zone 'UTC' as month from public.mcp_interaction_logs l) m),
    'last', (select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'phase', t.phase, 'hash', encode(t.leaf, 'hex'))
                                       order by t.created_at desc, t.id desc, t.phase desc), '[]')
      from (select l.created_at, l.id, l.phase, l.leaf from public.mcp_interaction_logs l
            order by l.created_at desc, l.id desc, l.phase desc limit 10) t));
end;

-- A name that a person chose, for a line on a terminal: at most 100 characters, and no control characters.
create function weir.printable(p_text text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return regexp_replace(left(p_text, 100), '[^[:alnum:][:punct:] ]', '?', 'g');

-- All authority that can be taken away: everything that a restored database would give again although it was revoked, withdrawn, stopped or
-- deleted since the backup. `state` is compared besides the key: a role that was lowered, the hash of a password that was changed; it is
-- never printed. `weir restore` names these kinds (Authorities.Compared), and revoke_again must know each. Not a definer: the owner calls
-- it in a restored database, weir_backup in the newer one.
create function weir.authorities() returns table (kind text, key text, organization_id uuid, label text, state text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
    -- Ended authority cannot come back, so only what is in force is listed: active, not revoked, not expired.
    select 'organization', o.id::text, o.id, o.name, null::text from public.organizations o where o.is_active
    -- A role is part of the state: an admin who became a viewer has less authority than before.
    union all select 'member', m.organization_id || '/' || m.user_id, m.organization_id, m.user_id || ' as ' || m.role, m.role
      from public.organization_members m where m.status = 'active'
    union all select 'workspace member', w.id::text, w.organization_id, coalesce('person ' || w.user_id, 'agent ' || w.agent_id), null
      from public.workspace_members w
    union all select 'agent', a.id::text, a.organization_id, a.name, null from public.agents a where a.is_active
    union all select 'agent key', k.id::text, k.organization_id, k.key_id || ' (' || k.name || ')', null
      from public.agent_api_keys k where k.revoked_at is null and coalesce(k.expires_at > now(), true)
    union all select 'organization key', k.id::text, k.organization_id, k.key_id || ' (' || k.name || ')', array_to_string(k.scopes, ' ')
      from public.organization_api_keys k where k.revoked_at is null and k.expires_at > now()
    union all select 'grant', g.id::text, g.organization_id,
        format('agent %s, server %s', a.name, i.instance_name), null
      from public.agent_mcp_permissions g join public.agents a on a.id = g.agent_id
      join public.mcp_server_instances i on i.id = g.mcp_server_instance_id
      where g.revoked_at is null and coalesce(g.expires_at > now(), true)
    union all select 'invitation', i.id::text, i.organization_id, i.email || ' as ' || i.role, i.role
      from public.organization_invitations i where i.accepted_at is null and i.revoked_at is null and i.expires_at > now()
    -- A node's key can be replaced, so its hash is the state.
    union all select 'node', n.id::text, null, n.name, encode(n.key_hash, 'hex') from weir.dtma_nodes n where n.registered_at is not null
    union all select 'platform admin', p.user_id::text, null, p.user_id::text, null from weir.platform_admins p
    -- The name is a server's text of any length and form, so the key has its hash.
    union all select 'definition',
        concat_ws('/', t.instance_id, t.kind, encode(sha256(convert_to(t.name, 'UTF8')), 'hex'), encode(t.definition_hash, 'hex')),
        t.organization_id, format('of the %s %s, server %s', t.kind, weir.printable(t.name), i.instance_name), null
      from public.mcp_server_tools t join public.mcp_server_instances i on i.id = t.instance_id
      where t.status = 'approved' and t.kind <> 'resource' and i.status <> 'deleted'
    -- Withdrawn gives less than published, and blocked gives nothing.
    union all select 'catalog server', c.id::text, null, c.slug || ' ' || c.version, c.state
      from public.mcp_server_catalog c where c.state <> 'blocked'
    -- A server that was stopped since would run again.
    union all select 'running server', i.id::text, i.organization_id, i.instance_name, null
      from public.mcp_server_instances i where i.status in ('deploying', 'running', 'degraded', 'updating', 'failed')
    -- What the platform has stopped since. An organization or agent that it has stopped is not active, and so missing above.
    union all select 'server switch', i.id::text, i.organization_id, i.instance_name, null
      from public.mcp_server_instances i where i.platform_stopped_at is null and i.status <> 'deleted'
    union all select 'calls', 'all', null, 'of all organizations', null where not exists (select from weir.platform_stop p where p.only_row)
    union all select 'datastore', d.id::text, d.organization_id, weir.printable(d.name), null
      from public.datastores d where d.deleted_at is null
    union all select 'datastore link', l.agent_id || '/' || l.datastore_id, l.organization_id,
        format('agent %s, datastore %s', a.name, weir.printable(d.name)), null
      from public.agent_datastores l join public.agents a on a.id = l.agent_id
      join public.datastores d on d.id = l.datastore_id and d.deleted_at is null
    union all select 'document', d.id::text, d.organization_id, weir.printable(d.title), null
      from public.documents d join public.datastores s on s.id = d.datastore_id and s.deleted_at is null;
  -- People of Supabase are not restored here. The casts are needed because its columns are varchar.
  if (select i.embedded_issuer from weir.installation i) then
    return query
      select 'person', u.id::text, null::uuid, coalesce(u.email::text, u.id::text), coalesce(u.encrypted_password::text, '')
      from auth.users u where not coalesce(u.banned_until > now(), false);
  end if;
end;
$$;

-- A backup's manifest, besides the tables' counts. The keyring's fingerprint says which keyring opens what is sealed.
create function weir.backup_facts() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select jsonb_build_object(
    'at', now(), 'epoch', i.epoch, 'keyring', encode(i.keyring_fingerprint, 'hex'), 'ownUsers', i.embedded_issuer,
    'log', weir.log_summary(),
    'authorities', (select coalesce(jsonb_object_agg(a.kind, a.count), '{}')
                    from (select a.kind, count(*) from weir.authorities() a group by a.kind) a))
  from weir.installation i;
end;

revoke all on function weir.backup_tables, weir.log_summary, weir.printable, weir.authorities, weir.backup_facts from public;
grant execute on function weir.backup_tables, weir.log_summary, weir.printable, weir.authorities, weir.backup_facts to weir_backup;
