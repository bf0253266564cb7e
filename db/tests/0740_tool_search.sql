-- A search finds tools by words, only among those that the agent may call.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

select weir.record_definitions(pg_temp.id_of('files'), 2, array_fill('tool'::text, array[8]),
  array['create_issue', 'listPullRequests', 'read_file', 'write_file', 'hidden_issue', 'secret', 'quarantined_issue', 'ls'],
  array(select sha256(convert_to(n::text, 'UTF8')) from generate_series(1, 8) n),
  array['{"name":"create_issue","description":"Opens a ticket in a repository.",
          "inputSchema":{"type":"object","properties":{"title":{},"assignee":{}}}}',
        '{"name":"listPullRequests","description":"All open requests to merge.","inputSchema":{"properties":{"repository":{}}}}',
        '{"name":"read_file","title":"Reader","description":"Reads the content of one file, and issues a warning where it is long.",
          "inputSchema":{"properties":{"path":{}}}}',
        '{"name":"write_file","description":"Writes a file.","inputSchema":{"properties":{"path":{}}}}',
        '{"name":"hidden_issue","description":"An issue that is not granted."}', 'no JSON', '{"name":"quarantined_issue"}',
          '{"name":"ls","inputSchema":"odd"}'], null) \g /dev/null
update mcp_server_tools set status = 'approved',
  approved_at = now() where instance_id = pg_temp.id_of('files') and name not in ('quarantined_issue');
select pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files},
  '{"tools": {"create_issue": {}, "list*": {}, "read_file": {}, "write_file": {}, "secret": {}, "quarantined_issue": {}, "ls": {}}}')$$)
  \g /dev/null

create function pg_temp.find_tools(p_query text, p_limit integer default 10, p_key text default 'robokey000000001',
  p_secret text default repeat('r', 43), p_user text default null,
  p_agent text default null) returns text language sql as $$
  select string_agg(f.name, ' ' order by f.n)
  from weir.find_tools(p_key, case when p_key is not null then sha256(convert_to(p_secret, 'UTF8')) end,
    case when p_user is not null then pg_temp.id_of(p_user) end,
                       case when p_agent is not null then pg_temp.id_of(p_agent) end, p_query, p_limit)
       with ordinality f(instance_id, instance_name, status, name, definition_hash, rank, n);
$$;

-- Which tools are found, and in which order
select is(pg_temp.find_tools('create issue'), 'create_issue read_file',
  'A04_tools_are_found_by_name_and_none_that_is_not_granted_or_approved');
select is(pg_temp.find_tools('issues'), 'create_issue read_file', 'a tool is found by another form of a word, by name before description');
select is(pg_temp.find_tools('pull requests'), 'listPullRequests', 'a tool is found by the words of its name in camel case');
select is(pg_temp.find_tools('ListPullRequests'), 'listPullRequests', 'a tool is found by its name in any case');
select is(pg_temp.find_tools('assignee'), 'create_issue', 'a tool is found by the name of a parameter');
select is(pg_temp.find_tools('repository'), 'listPullRequests create_issue',
  'a tool found by a parameter comes before one found by its description');
select is(pg_temp.find_tools('ticket'), 'create_issue', 'a tool is found by its description');
select is(pg_temp.find_tools('reader'), 'read_file', 'a tool is found by its title');
select is(pg_temp.find_tools('how do I write a file?'), 'write_file read_file',
  'tools found by a sentence are ordered by the number of words');
select is(pg_temp.find_tools('creat_isue'), 'create_issue', 'a tool is found by a misspelled name');
select is(pg_temp.find_tools('wriet fil'), 'write_file', 'a tool is found by two misspelled words');
select is(pg_temp.find_tools('pull reqests of the repository'), 'listPullRequests create_issue',
  'tools are found by several words of which one is misspelled');
select is(pg_temp.find_tools('iss'), 'create_issue', 'a tool is found by the beginning of a word');
select is(pg_temp.find_tools('secret'), 'secret', 'a tool whose definition is not JSON is found by its name');
select is(pg_temp.find_tools('LS'), 'ls', 'a tool whose schema is not an object is found by its name');
select is(pg_temp.find_tools('nothing like this'), null, 'words that no tool has find none');
select is(pg_temp.find_tools('hidden'), null, 'A04_a_tool_that_is_not_granted_is_not_found');
select is(pg_temp.find_tools('quarantined'), null, 'A26_a_quarantined_tool_is_not_found');
select is((select concat_ws(' ', instance_name, status, definition_hash = sha256('1'))
  from weir.find_tools('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')), null, null, 'create_issue', 1)),
  'files running t', 'a tool is found with its server, its server''s state and its definition');

-- How many
select is(pg_temp.find_tools('file', 1), 'read_file', 'no more tools are found than the limit');
select is(pg_temp.find_tools(q), 'create_issue listPullRequests ls read_file secret write_file',
  format('a query without a word finds all tools: %s', coalesce(quote_literal(q), 'null'))) from unnest(array['', '   ', '!?*', null]) q;
select is(pg_temp.find_tools('', n), wanted, format('a limit of %s is changed to one from 1 to 50', coalesce(n::text, 'null'))) from (values
  (0, 'create_issue'), (-5, 'create_issue'), (2, 'create_issue listPullRequests'),
    (2147483647, 'create_issue listPullRequests ls read_file secret write_file'),
    (null, 'create_issue listPullRequests ls read_file secret write_file')) t(n, wanted);

-- Hostile queries
select lives_ok(format('select pg_temp.find_tools(%L)', q), 'A05_this_query_for_tools_raises_nothing: ' || quote_literal(left(q, 20)))
  from unnest(array[
  '''', '''''', ''':*', '& | ! ( )', ':*', '\', E'\\''', 'a:b:c', '<->', '%', repeat('a', 100000), repeat('a ', 50000), repeat('''', 3000),
    'x'':A|''y', E'\u202e\u200b\u0001', '日本語 файл 🏴', repeat('é', 3000),
  'http://a.example/b?c=d&e=f''', '$1', 'a' || chr(8232) || 'b', 'the', 'the of and']) q;

-- Who finds tools
select is(pg_temp.find_tools('issue', 10, null, null, 'mia', 'robo'), 'create_issue read_file',
  'a person finds the tools of an agent that they may use');
select is(pg_temp.find_tools('issue', p_secret => 'x'), null, 'a key with a wrong secret finds no tools');
select is(pg_temp.find_tools('issue', 10, null, null, 'bob', 'robo'), null,
  'A01_an_owner_of_another_organization_finds_no_tools_of_an_agent');
select is(pg_temp.find_tools('issue', 10, null, null, 'adam', 'robo'), null,
  'V6_a_member_who_may_not_use_an_agent_finds_none_of_its_tools');
select is(pg_temp.find_tools('issue', 10, 'botkey0000000001', repeat('b', 43)), null,
  'A01_an_agent_of_another_organization_finds_no_tools');
select is(pg_temp.as_user(w, $$select count(*) from weir.find_tools('robokey000000001', sha256('x'), null, null, 'x', 1)$$), '42501',
  'M5_find_tools_is_not_executed_by_' || w)
from unnest(array['ann', 'anon', 'service', 'gateway', 'writer:ann']) w;
select is(pg_temp.as_user('ann', 'select count(terms) from mcp_server_tools'), '42501',
  'a person cannot read the words that tools are found by');

-- Changes take effect at once
savepoint s;
update mcp_server_tools set announced = false where name = 'create_issue';
select is(pg_temp.find_tools('create_issue'), 'read_file', 'A04_a_tool_that_is_not_announced_any_more_is_not_found');
rollback to s;
update mcp_server_instances set status = 'degraded' where id = pg_temp.id_of('files');
select is((select status from weir.find_tools('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')), null, null, 'create_issue',
  1)), 'degraded', 'a tool of a degraded server is found with that state');
select pg_temp.as_user('ann', $$select revoke_mcp_access({robo}, {files})$$) \g /dev/null
select is(pg_temp.find_tools('issue'), null, 'V11_no_tool_is_found_after_its_grant_was_revoked');
select * from finish();
rollback;
