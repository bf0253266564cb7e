-- How many messages of people an organization saves in a minute.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(14);

update organizations set max_chat_messages_per_minute = 3 where id = pg_temp.id_of('a');

-- Members
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'one', 'c1')$$), 'ok', 'F11_a_message_within_the_limit');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'one', 'c1')$$), 'ok', 'F11_the_same_message_again');
select is(pg_temp.error_as('mia', $$select post_chat_message({chat}, 'two')$$), 'ok', 'F11_another_person_s');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, repeat('x', 65537))$$), 'WR001', 'F11_one_that_is_refused');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'three')$$), 'ok', 'F11_was_not_counted_and_the_limit_is_reached');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'four')$$), 'WR008', 'F11_more_messages_of_the_organization_are_refused');
select is(pg_temp.error_as('mia', $$select post_chat_message({chat}, 'four')$$), 'WR008', 'F11_whoever_says_them');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'one', 'c1')$$), 'ok', 'F11_but_not_a_retry');
select cmp_ok(pg_temp.as_user('ann', $$select post_chat_message({chat}, 'four') ->> 'retry_after'$$)::integer, '<=', 20, 'F11_the_refusal_says_when_to_come_again');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where reason = 'rate_limited'$$), '0', 'F11_refusals_do_not_fill_the_record');

-- Another organization, and who may not write
select is(pg_temp.error_as('bob', $$select post_chat_message({denchat}, 'hi')$$), 'ok', 'F11_another_organization_is_not_touched');
select is(pg_temp.error_as('bob', $$select post_chat_message({chat}, 'hi')$$), 'WR004', 'F11_an_outsider_learns_nothing_of_the_limit');

-- Later, and never
update weir.chat_rates set used_until = used_until - interval '21 seconds';
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'four')$$), 'ok', 'F11_after_its_share_of_a_minute_there_is_room_for_one');
update organizations set max_chat_messages_per_minute = 0 where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'five')$$), 'WR008', 'F11_a_limit_of_zero_saves_none');

select * from finish();
rollback;
