-- Announced items that are listed to no client or only to some: who sees them, that they cannot be approved, and that their number is
-- limited.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

create function pg_temp.announce_items(p_kinds text[], p_names text[], p_hashes text[], p_eras text[], p_needs text[], p_faults text[],
  p_paths text[],
                               p_keeps text[] default '{}') returns text language sql as $$
  select format('%s %s %s', new_pins, changed_pins, quarantined)
  from weir.record_definitions(pg_temp.id_of('files'), 2, p_kinds, p_names,
    array(select sha256(convert_to(h, 'UTF8')) from unnest(p_hashes) h),
    array(select '{}' from unnest(p_names)), null, null, array['tool', 'prompt', 'template', 'resource'], null, p_eras, p_needs, p_faults,
      p_paths,
    array(select case when f is not null then 'a reason' end from unnest(p_faults) f), p_keeps);
$$;
create function pg_temp.waiting_changes(p_actor text) returns text language sql as $$
  select pg_temp.as_user(p_actor,
    $q$select string_agg(concat_ws(' ', name, change, path, reason, nullif(array_to_string(needs, '+'), ''),
    case when not announced then 'gone' end), '; ')
                              from get_mcp_tool_changes({files}) where name <> 'write_file'$q$);
$$;
create function pg_temp.catalog_items() returns text language sql as $$
  select string_agg(concat_ws(' ', c.item, array_to_string(c.eras, '+'), nullif(array_to_string(c.needs, '+'), '')), ',' order by c.item)
  from weir.agent_catalog('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')), null, null, 'files', array['tool', 'resource']) c
  where c.item is not null and c.item not in ('read_file', 'list_directory', 'write_file');
$$;
create function pg_temp.count_malformed_events() returns bigint language sql as $$
  select count(*) from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and item = 'quarantine'
    and detail like '%malformed at%';
$$;
select pg_temp.as_user('ann', 'select revoke_mcp_access({robo}, {files})'),
  pg_temp.as_user('ann', $$select grant_mcp_access({robo}, {files}, '{"tools": {"*": {}}, "resources": ["*"]}')$$) \g /dev/null
update mcp_server_instances set first_running_at = clock_timestamp() where id = pg_temp.id_of('files');

select is(pg_temp.announce_items(array['tool', 'tool', 'tool', 'tool', 'resource', 'resource'],
  array['fine', 'bad', 'bad', 'newest', 'file:///bad', 'file:///fine'],
    array['1', '2', '3', '4', '5', '6'], array['legacy,modern', '', '', 'modern', '', 'legacy,modern'], array['', '', '', '', '', ''],
    array[null, 'malformed', 'malformed', 'malformed', 'malformed', null],
      array[null, 'inputSchema', 'title', 'outputSchema.type', 'name', null]),
  '2 0 0', 'R01_items_that_are_left_out_make_no_pins');
select is(pg_temp.catalog_items(), 'file:///fine legacy+modern,fine legacy+modern,newest modern',
  'R01_items_that_are_left_out_are_in_no_list_and_the_others_have_their_eras');
select is(pg_temp.waiting_changes(w),
  'file:///bad malformed name a reason; bad malformed inputSchema a reason; '
  'bad malformed title a reason; newest malformed outputSchema.type a reason',
  'R01_two_items_of_one_name_that_are_left_out_are_two_changes_with_their_paths: ' || w) from unnest(array['ann', 'mia', 'vic']) w;
select is(pg_temp.waiting_changes(w), 'WR004', 'R01_items_that_are_left_out_are_not_seen_by_another_organization: ' || w)
  from unnest(array['bob', 'otto']) w;
select is(pg_temp.count_malformed_events(), 3::bigint, 'R01_each_item_that_is_left_out_is_in_the_audit_log_once');
select is(pg_temp.error_as('ann', format($$select approve_mcp_tool_change({files}, 'tool', 'bad', %L)$$, encode(sha256('2'), 'hex'))),
  'WR005', 'R01_an_item_that_is_left_out_is_not_approved');
select is(pg_temp.error_as('ann', format($$select reject_mcp_tool_change({files}, 'tool', 'bad', %L)$$, encode(sha256('3'), 'hex'))), 'ok',
  'an item that is left out is rejected');

select pg_temp.announce_items(array['tool'], array['fine'], array['1'], null, null, null, null) \g /dev/null
select is(pg_temp.waiting_changes('ann'), 'file:///bad malformed name a reason gone; bad malformed inputSchema a reason gone',
  'R01_an_item_that_was_left_out_and_is_not_announced_any_more_says_so');
select pg_temp.announce_items(array['tool', 'tool', 'resource'], array['fine', 'bad', 'file:///bad'], array['1', '2', '5'],
  array['legacy,modern', '', ''], array['', '', ''],
  array[null, 'malformed', 'malformed'], array[null, 'inputSchema', 'name']) \g /dev/null
select is(pg_temp.count_malformed_events(), 3::bigint,
  'R01_an_item_that_was_left_out_and_is_announced_again_is_not_in_the_audit_log_again');
select is(pg_temp.announce_items(array['tool'], array['bad'], array['7'], null, null, null, null), '1 0 0',
  'R01_an_item_that_was_left_out_and_is_valid_now_is_a_new_definition');
select is(pg_temp.catalog_items(), 'bad legacy+modern', 'an item that was left out and is valid now is listed for a new server');

-- A known definition keeps its status if its eras change: a later release may judge it differently
select pg_temp.announce_items(array['tool'], array['bad'], array['7'], array['modern'], array[''], array['malformed'], array['x'])
  \g /dev/null
select is(pg_temp.catalog_items(), 'bad modern', 'R01_a_definition_with_the_same_hash_may_be_listed_to_other_eras');

-- Items that a server has only for some clients
select pg_temp.announce_items(array['tool', 'tool'], array['plain', 'asks'], array['8', '9'], null, array['', 'elicitation.form'], null,
  null) \g /dev/null
select is(pg_temp.catalog_items(), 'asks legacy+modern elicitation.form,plain legacy+modern',
  'R16_a_tool_in_a_catalog_says_what_a_client_must_offer');
select is((select string_agg(t.name, ',')
  from weir.find_tools('robokey000000001', sha256(convert_to(repeat('r', 43), 'UTF8')), null, null, 'asks plain', 9, e, a) t), wanted,
  'R16_a_tool_is_found_only_by_a_client_that_offers_what_it_needs: ' || n)
from (values ('legacy', '{}'::text[], 'plain', 'offers nothing'), ('modern', '{elicitation.form,roots}', 'asks,plain', 'offers it'),
  (null, null, 'asks,plain', 'all')) v(e, a, wanted, n);
select pg_temp.announce_items(array['tool'], array['plain'], array['8'], null, array[''], null, null, '{tool}') \g /dev/null
select is(pg_temp.catalog_items(), 'asks legacy+modern elicitation.form,plain legacy+modern',
  'R16_a_tool_for_some_clients_stays_when_its_server_could_not_be_asked_for_it');
select pg_temp.announce_items(array['tool', 'tool'], array['plain', 'asks'], array['8', '9'], array['legacy,modern', ''],
  array['', 'elicitation.form'], array[null, 'unsupported'], null) \g /dev/null
select is(pg_temp.catalog_items(), 'plain legacy+modern', 'R16_a_tool_for_some_clients_is_not_listed_where_callers_share_a_session');
select is(pg_temp.waiting_changes('ann'),
  'asks unsupported a reason elicitation.form; file:///bad malformed name a reason gone; bad malformed inputSchema a reason gone',
  'R16_an_admin_sees_why_a_tool_for_some_clients_is_left_out');

-- The number of left-out items is limited
select pg_temp.announce_items(array_fill('resource'::text, array[300]), array(select 'file:///r' || n from generate_series(1, 300) n),
  array(select p || n from generate_series(1, 300) n),
  array_fill(''::text, array[300]), array_fill(''::text, array[300]), array_fill('malformed'::text, array[300]),
    array_fill('name'::text, array[300]))
from unnest(array['a', 'b', 'c']) p \g /dev/null
select pg_temp.announce_items(array['tool'], array['plain'], array['8'], null, null, null, null) \g /dev/null
select is((select count(*) from mcp_server_tools where instance_id = pg_temp.id_of('files') and kind = 'resource'), 200::bigint,
  'R01_of_items_that_were_left_out_and_are_not_announced_any_more_the_newest_200_stay');
select is((select count(*) from mcp_interaction_logs where instance_id = pg_temp.id_of('files') and item = 'quarantine'
  and detail like '%more'), 3::bigint, 'R01_items_that_are_left_out_beyond_twenty_are_counted_in_one_row_of_the_audit_log');
select * from finish();
rollback;
