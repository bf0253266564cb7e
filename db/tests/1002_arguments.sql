-- Calls every published function with null, empty, huge, hostile and wrongly shaped values for each of its arguments, with valid values for
-- the others. The function succeeds or refuses with a code of Weir's. A refusal for an argument names it. A refused call has written
-- nothing.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql

-- Each denial gets its own row. Otherwise equal ones would be counted from the eleventh of a minute on, and the results would depend on
-- when a minute ends.
select weir.set_setting('equal_denials', '1000') \g /dev/null
select no_plan();
set local statement_timeout = '60s';

-- On Supabase its own issuer confirms addresses; accept_invitation requires a confirmed one.
update auth.users set email_confirmed_at = now();
-- A call that would succeed: function, caller, and its arguments in order. The setting is what Weir's process sets when it calls
-- get_mcp_server_logs.
select set_config('weir.log_reader', 'on', true) \g /dev/null
create temporary table calls (name text primary key, actor text, arguments text[]);
select pg_temp.as_user('mia', $$select create_user_ssh_key('laptop',
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw')$$) \g /dev/null
select pg_temp.keep_id('sshkey', (select id from user_ssh_keys)),
       pg_temp.create_as('invitation', 'ann', $$select invite_member({a}, 'x@example.org', 'member', repeat('z', 43))$$),
       pg_temp.as_user('ann', $$select create_organization_api_key({a}, 'k', 'orgkey0000000001', repeat('k', 43), '{audit.read}')$$),
       pg_temp.create_as('robo2', 'mia', $$select create_agent({a}, 'Robo 2')$$),
       pg_temp.create_as('request', 'mia', $$select request_mcp_access({robo2}, {files}, '{}')$$),
       pg_temp.create_as('remote', 'ann',
         $$select manage_mcp_servers('create', {a}, '{"instance_name": "remote", "url": "https://r.example"}')$$),
       pg_temp.create_as('message', 'ann', $$select post_chat_message({chat}, 'hello')$$),
       pg_temp.create_as('docs', 'ann', $$select create_datastore({a}, 'Docs')$$),
       pg_temp.create_as('doc', 'ann', $$select ingest_document({docs}, 'Doc', '[{"text": "words"}]')$$) \g /dev/null
select pg_temp.as_user('ann', format('select invite_member({a}, %L, ''member'', repeat(''o'', 43))',
  (select email from auth.users where id = pg_temp.id_of('otto')))) \g /dev/null
select weir.add_platform_admin(pg_temp.create_user('pia')) \g /dev/null
select pg_temp.create_as('gone', 'ann', $$select create_organization('Gone')$$),
       pg_temp.as_user('ann', $$select delete_organization({gone})$$) \g /dev/null
insert into calls values
  ('accept_invitation', 'otto', array['repeat(''o'', 43)']),
  ('add_workspace_member', 'ann', array['{home}', '{vic}', 'null']),
  ('approve_mcp_tool_change', 'ann', array['{files}', '''tool''', '''write_file''', 'encode(sha256(''write 1''), ''hex'')']),
  ('block_catalog_server', 'pia', array['''test-files''', '''1.0.0''', '''It leaks.''']),
  ('call_dtma_api', 'ann', array[format('''{"action": "deploy", "server_instance_id": "%s"}''', pg_temp.id_of('remote'))]),
  ('chat_context', 'ann', array['{robo}', '{home}', '{chat}']),
  ('confirm_user_email', 'pia', array['{otto}']),
  ('create_agent', 'mia', array['{a}', '''Agent''', '''be kind''', '{home}']),
  ('create_agent_key', 'mia', array['{robo}', '''k''', '''robokey000000009''', 'repeat(''s'', 43)', 'now() + interval ''1 day''']),
  ('create_channel', 'ann', array['{home}', '''c2''']),
  ('create_datastore', 'ann', array['{a}', '''More docs''', '''postgres''', '''{}''']),
  ('create_organization', 'otto', array['''Mine''', '''mine-0''']),
  ('create_organization_api_key', 'ann',
    array['{a}', '''k''', '''orgkey0000000002''', 'repeat(''s'', 43)', '''{audit.read}''', 'now() + interval ''1 day''']),
  ('create_recovery', 'pia', array['{otto}', 'repeat(''r'', 43)']),
  ('create_user', 'pia', array['''new@example.org''', 'repeat(''u'', 43)']),
  ('create_user_ssh_key', 'ann', array['''k''', '''ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINb9BEMTCey7/XdRc9WoRuQl+rKaHCN3VJrMY519xddw''']),
  ('create_workspace', 'ann', array['{a}', '''W''']),
  ('decide_permission_request', 'ann',
    array['{request}', 'true', 'now() + interval ''2 day''', 'now() + interval ''1 day''', '''{"tools": {"*": {}}}''']),
  ('delete_datastore', 'ann', array['{docs}']),
  ('delete_document', 'ann', array['{doc}']),
  ('delete_user_ssh_key', 'mia', array['{sshkey}']),
  ('delete_chat_message', 'ann', array['{message}']),
  ('deploy_mcp_server_to_dtma', 'ann', array['{remote}']),
  ('explain_mcp_access', 'ann', array['{robo}', '{files}', '''read_file''', '''{"path": "/data/x"}''']),
  ('export_organization', 'ann', array['{a}', '''agents''', '{robo}', '10']),
  ('get_chat_answer', 'ann', array['{message}', '{robo}']),
  ('get_chat_messages_with_details', 'ann', array['{chat}', '{message}', '10']),
  ('get_document_chunks', 'ann', array['{doc}', '-1', '10']),
  ('get_mcp_server_logs', 'ann', array['{files}', '10', 'now()']),
  ('get_mcp_tool_changes', 'ann', array['{files}']),
  ('get_organization_mcp_configs', 'ann', array['{a}', '{robo}']),
  ('grant_mcp_access', 'ann', array['{robo}', '{files}', '''{"tools": {"*": {}}}''', 'now() + interval ''2 day''',
    'now() + interval ''1 day''']),
  ('ingest_document', 'ann', array['{docs}', '''Another''', '''[{"text": "other words", "heading": "h"}]''', '''https://example.org''',
    '''text/markdown''']),
  ('invite_member', 'ann', array['{a}', '''y@example.org''', '''viewer''', 'repeat(''y'', 43)', 'now() + interval ''1 day''']),
  ('leave_organization', 'mia', array['{a}']),
  ('link_datastore', 'ann', array['{docs}', '{robo}']),
  ('list_members', 'ann', array['{a}', '{ann}', '10']),
  ('list_users', 'pia', array['''x@example.org''', '{otto}', '10']),
  ('manage_mcp_servers', 'ann', array['''update''', '{a}', '''{"priority": 1}''', '{files}']),
  ('open_direct_channel', 'ann', array['{robo}', '{home}']),
  ('post_chat_message', 'ann', array['{chat}', '''hi''', '''c9''']),
  ('publish_catalog_server', 'pia', array['''{"slug": "new", "version": "1.0.0", "display_name": "New", "transport": "stdio",
    "package": "new", "bin": "new"}''']),
  ('read_audit', 'ann', array['{a}', '''{"interaction_type": "grant"}''',
    '''{"created_at": "2026-01-01T00:00:00Z", "id": "01900000-0000-7000-8000-00000000dead", "phase": "denied"}''', '10']),
  ('reject_mcp_tool_change', 'ann', array['{files}', '''tool''', '''write_file''', 'encode(sha256(''write 1''), ''hex'')']),
  ('request_mcp_access', 'mia', array['{robo}', '{files}', '''{"tools": {"*": {}}}''', '''please''']),
  ('revoke_agent_key', 'mia', array['''robokey000000001''']),
  ('revoke_invitation', 'ann', array['{invitation}']),
  ('revoke_mcp_access', 'ann', array['{robo}', '{files}']),
  ('revoke_organization_api_key', 'ann', array['''orgkey0000000001''']),
  ('delete_agent', 'ann', array['{robo}']),
  ('delete_channel', 'ann', array['{chat}']),
  ('delete_organization', 'ann', array['{a}']),
  ('delete_workspace', 'ann', array['{home}']),
  ('remove_workspace_member', 'ann', array['{home}', 'null', '{robo}']),
  ('rename_workspace', 'ann', array['{home}', '''House''']),
  ('restore_organization', 'ann', array['{gone}']),
  ('update_agent', 'ann', array['{robo}', '''Aider''', '''be kind''']),
  ('update_organization', 'ann', array['{a}', '''Other''', '''other-0''']),
  ('set_agent_active', 'ann', array['{robo}', 'false', 'false']),
  ('set_mcp_server_active', 'ann', array['{files}', 'false', 'false']),
  ('set_organization_active', 'pia', array['{a}', 'false']),
  ('set_platform_active', 'pia', array['false']),
  ('set_chat_tools', 'ann', array['{a}', 'false']),
  ('set_member_role', 'ann', array['{a}', '{vic}', '''member''']),
  ('set_member_status', 'ann', array['{a}', '{vic}', '''suspended''']),
  ('set_model_settings', 'ann', array['{a}', '''{"provider": "offline", "model": "offline"}''', '{robo}']),
  ('set_user_profile', 'ann', array['''Ann''']),
  ('stop_mcp_server_instance', 'ann', array['{files}']),
  ('transfer_ownership', 'ann', array['{a}', '{adam}']),
  ('unblock_catalog_server', 'pia', array['''test-files''', '''1.0.0''']),
  ('unlink_datastore', 'ann', array['{docs}', '{robo}']),
  ('validate_mcp_access', 'ann', array['{robo}', '{files}', '{mia}']),
  ('withdraw_catalog_server', 'pia', array['''test-files''', '''1.0.0''']),
  ('withdraw_permission_request', 'mia', array['{request}']);
create temporary table hostile (type regtype, value text);
insert into hostile
select 'text'::regtype, v from unnest(array['null', '''''', '''   ''', 'repeat(''x'', 1000000)', 'e''\x01\x7f''', 'e''a\nb''', '''\''',
  '''${jndi:x}''',
  $$'''; drop table public.agents; --'$$, $$'ａｄｍｉｎ'$$, '''%s%n''', '''(a+)+$''']) v
union all select 'uuid', v from unnest(array['null', '{nobody}', '''00000000-0000-0000-0000-000000000000''::uuid', '{b}', '{spy}', '{bot}',
  '{den}']) v
union all select 'jsonb', v from unnest(array['null', '''null''', '''[]''', '''{}''', '''"x"''', '''0''', '''true''',
  '''{"": {"": null}}''', '''{"action": null}''',
  '(repeat(''['', 3000) || repeat('']'', 3000))::jsonb', '(repeat(''{"tools":'', 3000) || ''1'' || repeat(''}'', 3000))::jsonb',
  'jsonb_build_object(''name'', repeat(''y'', 1000000))', 'jsonb_build_object(repeat(''k'', 100000), 1)',
    '''{"tools": {"*": {"args": {"x": {"matches": "(a+)+$"}}}}}''',
  '(select jsonb_object_agg(n::text, n) from generate_series(1, 20000) n)', '''{"idempotency_key": {"x": 1}}''',
    '''{"priority": 1e400}''']) v
union all select 'timestamptz', v from unnest(array['null', '''infinity''', '''-infinity''', '''epoch''', '''294000-01-01''']) v
union all select 'integer', v from unnest(array['null', '-1', '0', '2147483647', '-2147483648']) v
union all select 'boolean', v from unnest(array['null', 'false']) v
union all select 'text[]', v from unnest(array['null', '''{}''', '''{NULL}''', '''{{audit.read}}''',
  'array_fill(''audit.read''::text, array[100000])', '''{audit.read,x}''']) v;

-- The contents of all tables but the audit log. Each trial is undone, so they are the same before each.
create temporary table watched as select c.oid::regclass as name from pg_class c
  where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace, 'auth'::regnamespace)
    and c.relname !~ '^(mcp_interaction_logs|security_events|denial_counts|schema_migrations|change_versions)';
create function pg_temp.tables_fingerprint() returns text language plpgsql as $$
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
create temporary table before as select pg_temp.tables_fingerprint() as fingerprint;
-- Counts this transaction's writes, including those that were undone: a fingerprint of all tables takes longer than the call itself.
create function pg_temp.count_writes() returns numeric language sql as $$
  select sum(pg_stat_get_xact_tuples_inserted(name) + pg_stat_get_xact_tuples_updated(name) + pg_stat_get_xact_tuples_deleted(name))
    from watched;
$$;
-- Makes a call and undoes it. Returns the code (ok, WR… or a raw SQLSTATE), the message, and whether anything was written.
create function pg_temp.try_call(p_actor text, p_sql text, out code text, out message text, out wrote boolean) language plpgsql as $$
declare
  v_before constant numeric := pg_temp.count_writes();
  v_answer text;
  v_expanded constant text := pg_temp.with_ids(p_sql);
begin
  begin
    perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', pg_temp.id_of(p_actor),
              -- Some functions require a recent sign-in.
              'auth_time', floor(extract(epoch from now())))::text, true),
            set_config('role', 'authenticated', true);
    execute v_expanded into v_answer;
    perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
    code := 'ok';
    if left(v_answer, 1) = '{' and v_answer::jsonb ? 'error' then
      code := v_answer::jsonb ->> 'error';
      message := v_answer::jsonb ->> 'message';
    end if;
    wrote := pg_temp.count_writes() <> v_before and pg_temp.tables_fingerprint() <> (select fingerprint from before);
    raise exception 'undo' using errcode = 'P0999';
  exception
    when sqlstate 'P0999' then null;
    when others then
      -- what it wrote is undone with it
      code := sqlstate;
      message := sqlerrm;
      wrote := false;
  end;
end;
$$;
-- If writes were not noticed, the tests below would prove nothing.
select is((pg_temp.try_call('ann', $$select create_workspace({a}, 'W')$$)).wrote, true, 'a call that writes is seen to write');

select set_eq($$select name from calls$$, $$select p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace
  and p.proname <> 'audit_mcp_interactions' and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')$$,
  'every published function that a person may call is tried');
-- Where the users are Supabase's, a platform admin can do nothing for them here.
select is(t.code, case when c.name in ('confirm_user_email', 'create_recovery', 'create_user', 'list_users')
                            and not (select embedded_issuer from weir.installation) then 'WR010' else 'ok' end,
  format('%s succeeds with good arguments', c.name))
from calls c, pg_temp.try_call(c.actor, format('select %I(%s)', c.name, array_to_string(c.arguments, ', '))) t order by c.name;

create temporary table trials as
select c.name, a.name as argument, h.value, t.*
from calls c
join pg_proc p on p.proname = c.name and p.pronamespace = 'public'::regnamespace
cross join lateral unnest(p.proargnames[1:p.pronargs]) with ordinality a(name, n)
join hostile h on h.type = p.proargtypes[a.n - 1]
cross join lateral pg_temp.try_call(c.actor, format('select %I(%s)', c.name,
  array_to_string(c.arguments[:a.n::integer - 1] || h.value || c.arguments[a.n::integer + 1:], ', '))) t;
select cmp_ok((select count(*) from trials), '>', 400::bigint, 'more than 400 calls with a hostile argument were made');
select is_empty($$select name, argument, left(value, 60), code, left(message, 100) from trials where code !~ '^(ok|WR00[1-6]|WR010)$'$$,
  'M20_each_call_with_a_hostile_argument_succeeds_or_refuses_with_a_code_of_weir_s');
select is_empty($$select name, argument, left(value, 60),
  message from trials where code = 'WR001' and message !~ ('\m' || replace(argument, '_', '[_ ]') || '\M')$$,
  'M11_a_refusal_for_an_argument_names_it');
select is_empty($$select name, argument, left(value, 60), code from trials where code <> 'ok' and wrote$$,
  'M14_a_call_that_refused_has_written_nothing');
select is_empty($$select name, argument, left(value, 60),
  left(message, 200) from trials where length(message) > 300 or message ~* 'relation|column|constraint|syntax|plpgsql'$$,
  'M20_no_refusal_shows_internals_of_the_database');
-- an id of another organization, in whatever argument
select is_empty($$select name, argument, value from trials where value in ('{b}', '{spy}', '{bot}', '{den}') and code = 'ok' and wrote
    -- a platform admin's, of any organization
    and name <> 'set_organization_active'$$,
  'T3_no_call_with_an_id_of_another_organization_writes_anything');

-- A refusal takes as long for an id of another organization as for an id that does not exist. Calls of functions and scans of relations are
-- counted instead of measuring time, so that the answer is the same on every machine.
-- All statements use generic plans, which do not depend on the first values, and none that scan whole tables, where a filter would call its
-- function for each row.
set local plan_cache_mode = force_generic_plan;
set local enable_seqscan = off;
set local track_functions = 'all';
create function pg_temp.count_steps() returns jsonb language sql as $$
  select coalesce(jsonb_object_agg(name, n), '{}') from (
    select p.oid::regproc::text as name,
      pg_stat_get_xact_function_calls(p.oid) as n from pg_proc p where p.pronamespace = 'weir'::regnamespace
    union all
    select c.oid::regclass::text, pg_stat_get_xact_numscans(c.oid) from pg_class c
    where c.relkind in ('r', 'i') and c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace)) s
  where n > 0;
$$;
create function pg_temp.steps_of_call(p_actor text, p_sql text, out code text, out steps jsonb) language plpgsql as $$
declare
  v_before constant jsonb := pg_temp.count_steps();
begin
  select t.code into code from pg_temp.try_call(p_actor, p_sql) t;
  select coalesce(jsonb_object_agg(s.key, s.value::text::integer - coalesce((v_before ->> s.key)::integer, 0)), '{}') into steps
  from jsonb_each(pg_temp.count_steps()) s
  where s.value::text::integer <> coalesce((v_before ->> s.key)::integer, 0);
end;
$$;
create temporary table refusals as
select c.name, a.name as argument, v.value, t.code, t.steps
from calls c
join pg_proc p on p.proname = c.name and p.pronamespace = 'public'::regnamespace
cross join lateral unnest(p.proargnames[1:p.pronargs]) with ordinality a(name, n)
cross join unnest(array['{nobody}', '{b}', '{spy}', '{bot}', '{den}', '{denchat}', '{bob}']) v(value)
cross join lateral pg_temp.steps_of_call(c.actor, format('select %I(%s)', c.name,
  array_to_string(c.arguments[:a.n::integer - 1] || v.value || c.arguments[a.n::integer + 1:], ', '))) t
where p.proargtypes[a.n - 1] = 'uuid'::regtype and (t.code <> 'ok' or c.name = 'validate_mcp_access');
select cmp_ok((select count(*) from refusals), '>', 150::bigint, 'more than 150 refusals for ids were counted');
select is_empty($$
  select f.name, f.argument, f.value, k, n.steps ->> k, f.steps ->> k
  from refusals f join refusals n using (name, argument)
  cross join lateral (select distinct k from jsonb_object_keys(n.steps || f.steps) k) k
  where n.value = '{nobody}' and n.steps ->> k is distinct from f.steps ->> k
    -- A policy reads the caller's own organizations only if there is a row to check (docs/security.md)
    and not (k ~ '^(weir\.(actor_id|my_organizations|my_workspaces)$|organizations|organization_members|workspace_members)'
             and abs(coalesce((n.steps ->> k)::integer, 0) - coalesce((f.steps ->> k)::integer, 0)) <= 2)$$,
  'A07_a_refusal_for_an_id_of_another_organization_does_no_more_than_for_one_that_nobody_has');
select * from finish();
rollback;
