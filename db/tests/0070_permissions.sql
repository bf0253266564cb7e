-- Every published function that writes, called by everybody without the permission: without a person, from another organization, as a
-- viewer, as a plain member, while suspended, and by a person who loses the permission while they wait for the organization's lock. Each
-- gets the code that the table below lists, changes nothing, and takes the lock, which blocks calls, only if they have the permission. A
-- function without a row fails.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();
set local statement_timeout = '60s';

-- Everything that the calls act on belongs to adam, an admin. All members are in home, so that they see its channel, message and datastore.
insert into organization_members (organization_id, user_id, role, status)
values (pg_temp.id_of('a'), pg_temp.create_user('olga'), 'owner', 'active');
-- On Supabase its own issuer confirms addresses; accept_invitation requires a confirmed one.
update auth.users set email_confirmed_at = now();
insert into workspace_members (organization_id, workspace_id, user_id)
select pg_temp.id_of('a'), pg_temp.id_of('home'), pg_temp.id_of(n) from unnest(array['adam', 'vic', 'mel', 'sam']) n;
select pg_temp.as_user('adam', $$select create_user_ssh_key('k',
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw')$$) \g /dev/null
select pg_temp.keep_id('sshkey', (select id from user_ssh_keys)),
       pg_temp.create_as('invitation', 'adam', $$select invite_member({a}, 'x@example.org', 'member', repeat('z', 43))$$),
       pg_temp.as_user('adam', format($$select invite_member({a}, %L, 'member', repeat('o', 43))$$,
                                 (select email from auth.users where id = pg_temp.id_of('otto')))),
       pg_temp.as_user('adam', $$select create_organization_api_key({a}, 'k', 'orgkey0000000001', repeat('k', 43), '{audit.read}')$$),
       pg_temp.create_as('aide', 'adam', $$select create_agent({a}, 'Aide')$$),
       pg_temp.create_as('adjutant', 'adam', $$select create_agent({a}, 'Adjutant', workspace_id => {home})$$),
       pg_temp.as_user('adam', $$select create_agent_key({aide}, 'k', 'aidekey000000001', repeat('k', 43))$$),
       pg_temp.as_user('adam', $$select grant_mcp_access({aide}, {files}, '{"tools": {"*": {}}}')$$),
       pg_temp.create_as('request', 'adam', $$select request_mcp_access({aide}, {files}, '{}')$$),
       pg_temp.create_as('remote', 'adam',
         $$select manage_mcp_servers('create', {a}, '{"instance_name": "remote", "url": "https://r.example"}')$$),
       pg_temp.create_as('message', 'adam', $$select post_chat_message({chat}, 'hello')$$),
       pg_temp.create_as('docs', 'adam', $$select create_datastore({a}, 'Docs')$$),
       pg_temp.create_as('doc', 'adam', $$select ingest_document({docs}, 'Doc', '[{"text": "words"}]')$$),
       pg_temp.as_user('adam', $$select link_datastore({docs}, {adjutant})$$) \g /dev/null

select pg_temp.create_as('gone', 'olga', $$select create_organization('Gone')$$),
       pg_temp.as_user('olga', $$select delete_organization({gone})$$) \g /dev/null
-- pia is a platform admin, and belongs to no organization.
select pg_temp.create_user('pia') \g /dev/null
select weir.add_platform_admin(pg_temp.id_of('pia')) \g /dev/null

-- Each row: a call that succeeds, who makes it, and whether it takes the lock; then the code that others get: a person of another
-- organization or suspended (outsider), a viewer, a plain member, and the caller who becomes a viewer or is suspended during the wait. The
-- caller of an invitation is not a member yet, so the person who invited them changes instead.
-- The setting is what Weir's process sets when it calls get_mcp_server_logs.
select set_config('weir.log_reader', 'on', true) \g /dev/null
create temporary table calls (
  name text primary key, actor text, arguments text[],
  locks boolean, outsider text, viewer text, member text, demoted text, suspended text);
insert into calls values
  ('accept_invitation', 'otto', array['repeat(''o'', 43)'], true, 'WR004', 'WR004', 'WR004', 'WR004', 'WR004'),
  ('add_workspace_member', 'adam', array['{home}', 'null', '{aide}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('approve_mcp_tool_change', 'adam', array['{files}', '''tool''', '''write_file''', 'encode(sha256(''write 1''), ''hex'')'],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('block_catalog_server', 'pia', array['''test-files''', 'null', '''It leaks.'''], false, 'WR003', 'WR003', 'WR003', null, null),
  ('call_dtma_api', 'adam', array[format('''{"action": "deploy", "server_instance_id": "%s"}''', pg_temp.id_of('remote'))],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('confirm_user_email', 'pia', array['{otto}'], false, 'WR003', 'WR003', 'WR003', null, null),
  ('create_agent', 'adam', array['{a}', '''Agent''', '''be kind''', '{home}'], true, 'WR004', 'WR003', 'ok', 'WR003', 'WR003'),
  ('create_agent_key', 'adam', array['{aide}', '''k''', '''aidekey000000009''', 'repeat(''s'', 43)', 'now() + interval ''1 day'''],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('create_channel', 'adam', array['{home}', '''c2'''], false, 'WR004', 'WR003', 'ok', null, null),
  ('create_datastore', 'adam', array['{a}', '''More docs''', '''postgres''', '''{}'''], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('create_organization', 'adam', array['''Mine''', '''mine-0'''], false, 'ok', 'ok', 'ok', null, null),
  ('create_organization_api_key', 'adam', array['{a}', '''k''', '''orgkey0000000002''', 'repeat(''s'', 43)', '''{audit.read}''',
    'now() + interval ''1 day'''],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('create_recovery', 'pia', array['{otto}', 'repeat(''r'', 43)'], false, 'WR003', 'WR003', 'WR003', null, null),
  ('create_user', 'pia', array['''new@example.org''', 'repeat(''u'', 43)'], false, 'WR003', 'WR003', 'WR003', null, null),
  ('create_user_ssh_key', 'ann', array['''k''', '''ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw'''],
    false, 'ok', 'ok', 'ok', null, null),
  ('create_workspace', 'adam', array['{a}', '''W'''], true, 'WR004', 'WR003', 'ok', 'WR003', 'WR003'),
  ('decide_permission_request', 'adam', array['{request}', 'true', 'now() + interval ''2 day''', 'now() + interval ''1 day''',
    '''{"tools": {"*": {}}}'''],
    true, 'WR004', 'WR004', 'WR004', 'WR003', 'WR004'),
  ('delete_chat_message', 'adam', array['{message}'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('delete_datastore', 'adam', array['{docs}'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('delete_document', 'adam', array['{doc}'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('delete_user_ssh_key', 'adam', array['{sshkey}'], false, 'WR004', 'WR004', 'WR004', null, null),
  ('deploy_mcp_server_to_dtma', 'adam', array['{remote}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('export_organization', 'olga', array['{a}', '''agents''', '{robo}', '10'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('get_mcp_server_logs', 'adam', array['{files}', '10', 'now()'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('grant_mcp_access', 'adam', array['{aide}', '{files}', '''{"tools": {"*": {}}}''', 'now() + interval ''2 day''',
    'now() + interval ''1 day'''],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('ingest_document', 'adam', array['{docs}', '''Another''', '''[{"text": "other words", "heading": "h"}]''', '''https://example.org''',
    '''text/markdown'''],
    false, 'WR004', 'WR003', 'WR003', null, null),
  ('invite_member', 'adam', array['{a}', '''y@example.org''', '''viewer''', 'repeat(''y'', 43)', 'now() + interval ''1 day'''],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('leave_organization', 'adam', array['{a}'], true, 'WR004', 'ok', 'ok', 'ok', 'WR004'),
  ('link_datastore', 'adam', array['{docs}', '{aide}'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('list_users', 'pia', array['''x@example.org''', '{otto}', '10'], false, 'WR003', 'WR003', 'WR003', null, null),
  ('manage_mcp_servers', 'adam', array['''update''', '{a}', '''{"priority": 1}''', '{files}'],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('open_direct_channel', 'adam', array['{adjutant}', '{home}'], false, 'WR004', 'WR003', 'ok', null, null),
  ('post_chat_message', 'adam', array['{chat}', '''hi''', '''c9'''], false, 'WR004', 'WR003', 'ok', null, null),
  ('publish_catalog_server', 'pia', array['''{"slug": "new", "version": "1.0.0", "display_name": "New",
    "transport": "stdio", "package": "new", "bin": "new"}'''],
    false, 'WR003', 'WR003', 'WR003', null, null),
  ('read_audit', 'adam', array['{a}', '''{"interaction_type": "grant"}''',
    '''{"created_at": "2026-01-01T00:00:00Z", "id": "01900000-0000-7000-8000-00000000dead", "phase": "denied"}''', '10'],
    false, 'WR004', 'ok', 'ok', null, null),
  ('reject_mcp_tool_change', 'adam', array['{files}', '''tool''', '''write_file''', 'encode(sha256(''write 1''), ''hex'')'],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('request_mcp_access', 'adam', array['{adjutant}', '{files}', '''{"tools": {"*": {}}}''', '''please'''],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('revoke_agent_key', 'adam', array['''aidekey000000001'''], true, 'WR004', 'WR004', 'WR004', 'WR004', 'WR004'),
  ('revoke_invitation', 'adam', array['{invitation}'], true, 'WR004', 'WR004', 'WR004', 'WR004', 'WR004'),
  ('revoke_mcp_access', 'adam', array['{aide}', '{files}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('revoke_organization_api_key', 'adam', array['''orgkey0000000001'''], true, 'WR004', 'WR004', 'WR004', 'WR004', 'WR004'),
  ('delete_agent', 'adam', array['{aide}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('delete_channel', 'adam', array['{chat}'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('delete_organization', 'olga', array['{a}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('delete_workspace', 'adam', array['{home}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('remove_workspace_member', 'adam', array['{home}', 'null', '{adjutant}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('rename_workspace', 'adam', array['{home}', '''House'''], false, 'WR004', 'WR003', 'WR003', null, null),
  ('restore_organization', 'olga', array['{gone}'], true, 'WR004', 'WR004', 'WR004', null, null),
  ('update_agent', 'adam', array['{aide}', '''Aider''', '''be kind'''], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('update_organization', 'olga', array['{a}', '''Other''', '''other-0'''], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('set_agent_active', 'adam', array['{aide}', 'false', 'false'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('set_chat_tools', 'adam', array['{a}', 'false'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('set_mcp_server_active', 'adam', array['{files}', 'false', 'false'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('set_member_role', 'adam', array['{a}', '{vic}', '''member'''], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('set_member_status', 'adam', array['{a}', '{vic}', '''suspended'''], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('set_model_settings', 'adam', array['{a}', '''{"provider": "offline", "model": "offline"}''', '{aide}'],
    true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('set_organization_active', 'pia', array['{a}', 'false'], true, 'WR003', 'WR003', 'WR003', null, null),
  ('set_platform_active', 'pia', array['false'], true, 'WR003', 'WR003', 'WR003', null, null),
  ('set_user_profile', 'adam', array['''Adam'''], false, 'ok', 'ok', 'ok', null, null),
  ('stop_mcp_server_instance', 'adam', array['{files}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('transfer_ownership', 'ann', array['{a}', '{adam}'], true, 'WR004', 'WR003', 'WR003', 'WR003', 'WR003'),
  ('unblock_catalog_server', 'pia', array['''test-files'''], false, 'WR003', 'WR003', 'WR003', null, null),
  ('unlink_datastore', 'adam', array['{docs}', '{adjutant}'], false, 'WR004', 'WR003', 'WR003', null, null),
  ('withdraw_catalog_server', 'pia', array['''test-files'''], false, 'WR003', 'WR003', 'WR003', null, null),
  ('withdraw_permission_request', 'adam', array['{request}'], true, 'WR004', 'WR004', 'WR004', 'ok', 'WR004');

-- A stable function cannot write, which PostgreSQL enforces. audit_mcp_interactions is the engine's own.
select set_eq($$select name from calls$$, $$select p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace
  and p.provolatile = 'v' and p.proname <> 'audit_mcp_interactions'
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')$$,
  'every published function that writes has a row with the code that each caller gets');

-- The contents of all tables but the audit log. Each trial is undone, so they are the same before each.
create temporary table watched as select c.oid::regclass as name from pg_class c
  where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace, 'auth'::regnamespace)
    and c.relname !~ '^(mcp_interaction_logs|security_events|denial_counts|schema_migrations|change_versions)';
create function pg_temp.fingerprint() returns text language plpgsql as $$
declare
  v_table regclass;
  v_sum text := '';
  v_part text;
begin
  for v_table in select name from watched order by 1 loop
    execute format('select concat(count(*), ''/'', sum(hashtext(t::text)::bigint)) from %s t', v_table) into v_part;
    v_sum := v_sum || v_part || ';';
  end loop;
  return v_sum;
end;
$$;

-- Makes a call and undoes it. p_meanwhile is what another session commits while the call waits for the lock. Returns the code, whether the
-- lock was taken, whether anything was changed besides p_meanwhile, and the reasons of new denials in the audit log.
create function pg_temp.trial(p_actor text, p_sql text, p_meanwhile text default null,
                              out code text, out locked boolean, out changed boolean, out recorded text) language plpgsql as $$
declare
  v_sql constant text := pg_temp.with_ids(p_sql);
  v_before text;
  v_answer text;
begin
  begin
    if p_meanwhile is not null then
      execute pg_temp.with_ids(p_meanwhile);
      v_before := pg_temp.fingerprint();
      raise exception 'undo' using errcode = 'P0999';
    end if;
  exception
    when sqlstate 'P0999' then null;
  end;
  begin
    v_before := coalesce(v_before, pg_temp.fingerprint());
    perform set_config('test.locked', '', true),
            pg_temp.when_lock_is_taken('perform set_config(''test.locked'', ''yes'', true); ' || coalesce(p_meanwhile, 'null'));
    perform set_config('request.jwt.claims', jsonb_strip_nulls(jsonb_build_object('role', 'authenticated', 'sub',
              case when p_actor <> 'nobody' then pg_temp.id_of(p_actor) end,
              -- Some functions require a recent sign-in.
              'auth_time', floor(extract(epoch from now()))))::text, true),
            set_config('role', 'authenticated', true);
    execute v_sql into v_answer;
    perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
    code := coalesce(v_answer::jsonb ->> 'error', 'ok');
    locked := current_setting('test.locked') = 'yes';
    changed := pg_temp.fingerprint() <> v_before;
    recorded := (select string_agg(l.reason, ',') from mcp_interaction_logs l
                 where l.decision = 'denied' and l.user_id = pg_temp.id_of(p_actor) and l.created_at >= now());
    raise exception 'undo' using errcode = 'P0999';
  exception
    when sqlstate 'P0999' then null;
    when others then
      code := sqlstate;
      changed := false;
  end;
end;
$$;
-- The same call with null for every argument that is not an id.
create function pg_temp.bare(p_call calls) returns text language sql as $$
  select format('select %I(%s)', p_call.name, (
    select string_agg(case when p.proargtypes[a.n - 1] = 'uuid'::regtype then a.value else 'null' end, ', ' order by a.n)
    from unnest(p_call.arguments) with ordinality a(value, n)))
  from pg_proc p where p.proname = p_call.name and p.pronamespace = 'public'::regnamespace;
$$;

create temporary table trials as
select c.name, w.who, w.expected, c.locks, t.*
from calls c
cross join lateral (values
  -- Where the users are Supabase's, a platform admin can do nothing for them here.
  ('its caller', c.actor,
    -- Acts that only Weir's own issuer can do.
    case when c.name in ('confirm_user_email', 'create_recovery', 'create_user', 'list_users')
              and not (select embedded_issuer from weir.installation) then 'WR010' else 'ok' end, null),
  ('a token without a person', 'nobody', 'WR002', null),
  ('a person of another organization', 'bob', c.outsider, null), ('a suspended admin', 'sam', c.outsider, null),
  ('a viewer', 'vic', c.viewer, null), ('a member', 'mel', c.member, null),
  ('its caller, made a viewer during the wait', c.actor, c.demoted, 'role = ''viewer'''),
  ('its caller, suspended during the wait', c.actor, c.suspended, 'status = ''suspended'''))
  w(who, actor, expected, meanwhile)
cross join lateral pg_temp.trial(w.actor, format('select %I(%s)', c.name, array_to_string(c.arguments, ', ')),
  'update public.organization_members set ' || w.meanwhile || format(' where organization_id = {a} and user_id = {%s}',
    case c.actor when 'otto' then 'adam' else c.actor end)) t
where w.expected is not null;
select is(t.code, t.expected, format('%s answers %s to %s', t.name, t.expected, t.who)) from trials t order by t.name, t.who;
select is_empty($$select name, who, code from trials where code <> 'ok' and changed$$, 'M14_a_call_that_was_refused_has_changed_nothing');
select is_empty($$select name, who, locked from trials where who = 'its caller' and locked is distinct from locks$$,
  'a call takes the organization''s lock only if no admission may run beside it');
select is_empty($$select name, who, code from trials where who like '%during the wait' and locked is not true$$,
  'a permission that is lost during the wait for the lock is checked again under it');
-- An invitation is found by its token alone, and used once: its organization is locked before the check whose invitation it is.
select is_empty($$select name, who, code from trials
    where who !~ '^its caller' and code <> 'ok' and locked and name <> 'accept_invitation'$$,
  'a caller without the permission never takes the lock, which blocks calls');
-- An act that only a platform admin may do is refused to everybody else with WR003, and counted.
select is_empty($$select name, who, recorded from trials join calls using (name)
    where code = 'WR003' and recorded is distinct from case when outsider <> 'WR003' then 'forbidden' end$$,
  'a call that a member may not make leaves one denial in the audit log, and a platform act none');
select is_empty($$select name, who, recorded from trials
    where who in ('a token without a person', 'a person of another organization') and recorded is not null$$,
  'a caller who is no member writes nothing into an organization''s audit log');

select is((pg_temp.trial('mel', 'select add_workspace_member({home}, agent_id => {adjutant})')).code, 'WR003',
  'a member who may not add an agent is also refused if the agent is already in the workspace');

-- Arguments are checked after the permission, since they may be large. If the permission follows from an argument, or from the row that is
-- written, a wrong argument is answered first.
create temporary table bare as
select c.name, w.who, w.expected, t.code
from calls c
cross join lateral (values
  ('a token without a person', 'nobody', 'WR002'), ('a person of another organization', 'bob', c.outsider), ('a viewer', 'vic', c.viewer),
  ('a member', 'mel', c.member)) w(who, actor, expected)
cross join lateral pg_temp.trial(w.actor, pg_temp.bare(c)) t
where w.expected <> 'ok';
select is_empty($$select name, who, expected, code from bare where code <> expected
    and not (code = 'WR001' and name in ('accept_invitation', 'call_dtma_api') and who <> 'a token without a person')
    and not (code = 'WR001' and who in ('a viewer', 'a member')
             and name in ('set_member_role', 'set_member_status', 'approve_mcp_tool_change', 'reject_mcp_tool_change', 'create_channel',
                          'post_chat_message'))$$,
  'a caller without the permission gets that error whatever the other arguments are');
select is_empty($$select name, who from bare where who = 'a token without a person' and code <> 'WR002'$$,
  'M17_without_a_person_every_function_that_writes_answers_WR002_before_all_else');
select is((pg_temp.trial('nobody', format('select %I(%s)', c.name, c.arguments))).code, 'WR002',
  format('%s answers WR002 to a token without a person', c.name))
from (values
  ('chat_context', '{robo}, {home}'), ('explain_mcp_access', '{robo}, {files}'), ('get_chat_answer', '{message}, {robo}'),
  ('get_chat_messages_with_details', '{chat}'), ('get_document_chunks', '{doc}'), ('get_mcp_tool_changes', '{files}'),
  ('get_organization_mcp_configs', '{a}'), ('list_members', '{a}')) c(name, arguments);
select matches(pg_temp.as_user('bob', $$select deploy_mcp_server_to_dtma({remote}) ->> 'message'$$), 'server',
  'for a server that the caller does not see the error names the server, not its organization');

-- The helpers themselves refuse in case of doubt: a permission that is misspelled or missing is an error, and an object without the
-- argument p_found counts as not found.
select is(pg_temp.as_user('writer:ann', $$select weir.may(weir.act('lifecycle', 'x', p_organization_id => {a}), 'admim')$$), 'P0001',
  'a misspelled permission is an error, also for an owner');
select is(pg_temp.as_user('writer:ann', $$select weir.authorize(weir.act('lifecycle', 'x', p_organization_id => {a}))$$), 'P0001',
  'an act without a permission is an error, also for an owner');
select is(pg_temp.error_as('writer:ann', $$select weir.authorize(null)$$), 'WR004', 'a null act is refused');
select is(pg_temp.error_as('writer:ann', $$select weir.authorize(weir.act('lifecycle', 'x', 'see'))$$), 'WR004',
  'the permission to see requires an organization');
select is(pg_temp.error_as('writer:ann',
  $$select weir.authorize(weir.act('lifecycle', 'x', 'admin', 'no', {a}), p_found => null)$$), 'WR004',
  'an object without p_found is answered as one that does not exist');
select is(pg_temp.error_as('writer:ann', $$select coalesce(weir.lock_for(weir.act('lifecycle', 'x', 'admin', 'no')), '{}')$$), 'WR003',
  'an act without an organization takes no lock and is refused');
select results_eq($$
  select p.permission, string_agg(a.actor, ' ' order by a.place) filter (where pg_temp.as_user('writer:' || a.actor,
           format($q$select weir.may(weir.act('lifecycle', 'x', p_organization_id => {a}), %L)$q$, p.permission)) = 'true')
  from (values (1, 'owner'), (2, 'admin'), (3, 'member'), (4, 'viewer')) p(place, permission),
       unnest(array['ann', 'adam', 'mel', 'vic', 'sam', 'bob', 'otto']) with ordinality a(actor, place)
  group by p.place, p.permission order by p.place$$,
  $$values ('owner', 'ann'), ('admin', 'ann adam'), ('member', 'ann adam mel'), ('viewer', 'ann adam mel vic')$$,
  'a role includes those below it and none above it, and only while the member is active');


-- A conflict names what already exists. Excluded are keys that are generated at random, that foreign keys point to, or whose existing rows
-- are updated (profiles, rates, catalog entries).
select is_empty($$
  select c.relname, i.relname from pg_index x
  join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
  where x.indisunique and c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace)
    and has_any_column_privilege('weir_writer', c.oid, 'insert')
    and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'id' and a.attnum = any(x.indkey::smallint[]))
    and i.relname not in ('user_profiles_pkey', 'chat_rates_pkey', 'mcp_server_catalog_slug_version_key')
    and weir.conflict(i.relname) is null$$,
  'every unique key that a published function can violate has words for what exists');
select is_empty($$
  select m[1] from pg_proc p, regexp_matches(p.prosrc, 'when ''([a-z_]+)'' then', 'g') m
  where p.oid = 'weir.conflict(text)'::regprocedure and to_regclass('public.' || m[1]) is null and to_regclass('weir.' || m[1]) is null$$,
  'there are only words for existing keys');
select is(pg_temp.as_user(w, format('select (%s) -> ''message''', c)), to_jsonb(m)::text, m)
from (values
  ('ann', $$select create_agent({a}, 'AIDE')$$, 'there is already an agent with the name AIDE'),
  ('ann', $$select create_workspace({a}, 'home')$$, 'there is already a workspace with the name home'),
  ('ann', $$select create_channel({home}, 'chat')$$, 'there is already a channel with the name chat'),
  ('ann', $$select create_datastore({a}, 'docs')$$, 'there is already a datastore with the name docs'),
  ('ann', $$select manage_mcp_servers('create', {a}, '{"instance_name": "files", "url": "https://f.example"}')$$,
   'there is already a server with the instance_name files'),
  ('ann', $$select manage_mcp_servers('update', {a}, '{"instance_name": "files"}', {remote})$$,
   'there is already a server with the instance_name files'),
  ('ann', $$select create_agent_key({aide}, 'k', 'aidekey000000001', repeat('s', 43))$$,
   'there is already a key with the key_id aidekey000000001'),
  ('ann', $$select create_organization_api_key({a}, 'k', 'orgkey0000000001', repeat('s', 43), '{audit.read}')$$,
   'there is already a key with the key_id orgkey0000000001'),
  ('adam', $$select create_user_ssh_key('K',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddwA')$$, 'there is already an SSH key with the name K'),
  ('adam', $$select create_user_ssh_key('l',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw')$$,
   'there is already an SSH key of yours with this public key')) t(w, c, m);
select is(pg_temp.as_user('bob', format($$select create_organization('X', %L) ->> 'message'$$, o.slug)),
  'there is already an organization with the slug ' || o.slug, 'a slug that is taken is named')
from organizations o where o.id = pg_temp.id_of('a');
select * from finish();
rollback;
