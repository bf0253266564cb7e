-- Tools are found by words among what the agent may call, and by nobody else.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

select weir.record_definitions(pg_temp.id_of('files'), 2, array_fill('tool'::text, array[8]),
  array['create_issue', 'listPullRequests', 'read_file', 'write_file', 'hidden_issue', 'secret', 'quarantined_issue', 'ls'],
  array(select sha256(convert_to(n::text, 'UTF8')) from generate_series(1, 8) n),
  array['{"name":"create_issue","description":"Opens a ticket in a repository.","inputSchema":{"type":"object","properties":{"title":{},"assignee":{}}}}',
        '{"name":"listPullRequests","description":"All open requests to merge.","inputSchema":{"properties":{"repository":{}}}}',
        '{"name":"read_file","title":"Reader","description":"Reads the content of one file, and issues a warning where it is long.","inputSchema":{"properties":{"path":{}}}}',
        '{"name":"write_file","description":"Writes a file.","inputSchema":{"properties":{"path":{}}}}',
        '{"name":"hidden_issue","description":"An issue that is not granted."}', 'no JSON', '{"name":"quarantined_issue"}', '{"name":"ls","inputSchema":"odd"}'], null) \g /dev/null
update mcp_server_tools set status = 'approved', approved_at = now() where instance_id = pg_temp.id_of('files') and name not in ('quarantined_issue');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"create_issue": {}, "list*": {}, "read_file": {}, "write_file": {}, "secret": {}, "quarantined_issue": {}, "ls": {}}}')$$) \g /dev/null

create function pg_temp.find_tools(p_query text, p_limit integer default 10, p_key text default 'robokey000000001', p_secret text default repeat('r', 43), p_user text default null,
  p_agent text default null) returns text language sql as $$
  select string_agg(f.name, ' ' order by f.n)
  from weir.find_tools(p_key, case when p_key is not null then sha256(convert_to(p_secret, 'UTF8')) end, case when p_user is not null then pg_temp.id_of(p_user) end,
                       case when p_agent is not null then pg_temp.id_of(p_agent) end, p_query, p_limit)
       with ordinality f(instance_id, instance_name, status, name, definition_hash, rank, n);
$$;

-- What is found, and in which order
select is(pg_temp.find_tools('create issue'), 'create_issue read_file', 'A04_by_name_and_never_what_is_not_granted_or_waits');
select is(pg_temp.find_tools('issues'), 'create_issue read_file', 'in another form; a name counts more than a description');
select is(pg_temp.find_tools('pull requests'), 'listPullRequests', 'by the words of a name in camel case');
select is(pg_temp.find_tools('ListPullRequests'), 'listPullRequests', 'in any case');
select is(pg_temp.find_tools('assignee'), 'create_issue', 'by a parameter');
select is(pg_temp.find_tools('repository'), 'listPullRequests create_issue', 'a parameter counts more than a description');
select is(pg_temp.find_tools('ticket'), 'create_issue', 'by a description');
select is(pg_temp.find_tools('reader'), 'read_file', 'by a title');
select is(pg_temp.find_tools('how do I write a file?'), 'write_file read_file', 'in a sentence, the most words first');
select is(pg_temp.find_tools('creat_isue'), 'create_issue', 'though it is misspelt');
select is(pg_temp.find_tools('wriet fil'), 'write_file', 'in two words');
select is(pg_temp.find_tools('pull reqests of the repository'), 'listPullRequests create_issue', 'or in one of several');
select is(pg_temp.find_tools('iss'), 'create_issue', 'by the beginning of a word');
select is(pg_temp.find_tools('secret'), 'secret', 'whose definition is no JSON');
select is(pg_temp.find_tools('LS'), 'ls', 'or has an odd schema');
select is(pg_temp.find_tools('nothing like this'), null, 'or not at all');
select is(pg_temp.find_tools('hidden'), null, 'A04_not_what_is_not_granted');
select is(pg_temp.find_tools('quarantined'), null, 'A26_not_what_waits');
select is((select concat_ws(' ', instance_name, status, definition_hash = sha256('1')) from weir.find_tools('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')), null, null, 'create_issue', 1)),
  'files running t', 'with where it is, in which state, and which definition');

-- How many
select is(pg_temp.find_tools('file', 1), 'read_file', 'at most as many as were asked for');
select is(pg_temp.find_tools(q), 'create_issue listPullRequests ls read_file secret write_file', format('a query without a word is answered with what there is: %s', q)) from unnest(array['', '   ', '!?*', null]) q;
select is(pg_temp.find_tools('', n), wanted, format('the limit is 1 to 50: %s', n)) from (values
  (0, 'create_issue'), (-5, 'create_issue'), (2, 'create_issue listPullRequests'), (2147483647, 'create_issue listPullRequests ls read_file secret write_file'), (null, 'create_issue listPullRequests ls read_file secret write_file')) t(n, wanted);

-- Whatever is asked
select lives_ok(format('select pg_temp.find_tools(%L)', q), 'A05_nothing_in_a_query_raises: ' || left(q, 20)) from unnest(array[
  '''', '''''', ''':*', '& | ! ( )', ':*', '\', E'\\''', 'a:b:c', '<->', '%', repeat('a', 100000), repeat('a ', 50000), repeat('''', 3000), 'x'':A|''y', E'\u202e\u200b\u0001', '日本語 файл 🏴', repeat('é', 3000),
  'http://a.example/b?c=d&e=f''', '$1', 'a' || chr(8232) || 'b', 'the', 'the of and']) q;

-- Who finds
select is(pg_temp.find_tools('issue', 10, null, null, 'mia', 'robo'), 'create_issue read_file', 'a person finds what the agent may');
select is(pg_temp.find_tools('issue', p_secret => 'x'), null, 'a wrong secret');
select is(pg_temp.find_tools('issue', 10, null, null, 'bob', 'robo'), null, 'A01_another_tenant_s_owner_finds_no_agent');
select is(pg_temp.find_tools('issue', 10, null, null, 'adam', 'robo'), null, 'V6_nor_a_member_who_may_not_use_it');
select is(pg_temp.find_tools('issue', 10, 'botkey0000000001', repeat('b', 43)), null, 'A01_another_tenant_s_agent_finds_nothing');
select is(pg_temp.as_user(w, $$select count(*) from weir.find_tools('robokey000000001', sha256('x'), null, null, 'x', 1)$$), '42501', 'M5_not_by_' || w)
from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w;
select is(pg_temp.as_user('ann', 'select count(terms) from mcp_server_tools'), '42501', 'what tools are found by is the engine''s');

-- Now
savepoint s;
update mcp_server_tools set announced = false where name = 'create_issue';
select is(pg_temp.find_tools('create_issue'), 'read_file', 'A04_not_what_is_announced_no_more');
rollback to s;
update mcp_server_instances set status = 'degraded' where id = pg_temp.id_of('files');
select is((select status from weir.find_tools('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')), null, null, 'create_issue', 1)), 'degraded', 'a server that is not well says so');
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.find_tools('issue'), null, 'V11_nothing_after_a_revoke');
select * from finish();
rollback;
