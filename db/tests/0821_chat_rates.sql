-- An organization's limit of people's messages a minute.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(18);

update organizations set max_chat_messages_per_minute = 3 where id = pg_temp.id_of('a');

-- Members
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'one', 'c1')$$), 'ok',
  'F11_a_message_within_the_organization_s_limit_is_saved');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'one', 'c1')$$), 'ok',
  'F11_a_retry_of_a_message_within_the_limit_is_accepted');
select is(pg_temp.error_as('mia', $$select post_chat_message({chat}, 'two')$$), 'ok',
  'F11_a_message_of_another_person_within_the_limit_is_saved');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, repeat('x', 65537))$$), 'WR001',
  'F11_a_message_that_is_too_long_is_refused');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'three')$$), 'ok',
  'F11_a_refused_message_and_a_retry_do_not_count_toward_the_limit');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'four')$$), 'WR008',
  'F11_a_message_beyond_the_organization_s_limit_is_refused');
select is(pg_temp.error_as('mia', $$select post_chat_message({chat}, 'four')$$), 'WR008',
  'F11_a_message_of_another_person_beyond_the_organization_s_limit_is_refused');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'one', 'c1')$$), 'ok',
  'F11_a_retry_is_accepted_when_the_limit_is_reached');
select cmp_ok(pg_temp.as_user('ann', $$select post_chat_message({chat}, 'four') ->> 'retry_after'$$)::integer, '<=', 20,
  'F11_a_refusal_by_the_limit_has_the_seconds_to_wait');
select is(pg_temp.as_user('owner', $$select count(*) from mcp_interaction_logs where reason = 'rate_limited'$$), '0',
  'F11_refusals_by_the_limit_are_not_in_the_audit_log');

-- Another organization, and people who may not write
select is(pg_temp.error_as('bob', $$select post_chat_message({denchat}, 'hi')$$), 'ok',
  'F11_a_message_of_another_organization_is_saved_when_the_limit_is_reached');
select is(pg_temp.error_as('bob', $$select post_chat_message({chat}, 'hi')$$), 'WR004',
  'F11_an_outsider_is_refused_as_before_when_the_limit_is_reached');

-- Row-level security below the function: a viewer and an outsider use nothing of an organization's limit.
select is(pg_temp.as_user('writer:' || w, 'with used as (update weir.chat_rates set used_until = now() where organization_id = {a}
  returning 1) select count(*) from used'), '0', format('F11_the_writer_changes_no_use_of_the_limit_for_%s', w))
from unnest(array['vic', 'bob']) w;
select is(pg_temp.as_user('writer:' || w, 'insert into weir.chat_rates (organization_id, used_until) values ({a}, now())'), '42501',
  format('F11_the_writer_begins_no_use_of_the_limit_for_%s', w))
from unnest(array['vic', 'bob']) w;

-- After some time, and a limit of zero
update weir.chat_rates set used_until = used_until - interval '21 seconds';
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'four')$$), 'ok',
  'F11_a_third_of_a_minute_after_the_limit_was_reached_one_message_is_saved');
update organizations set max_chat_messages_per_minute = 0 where id = pg_temp.id_of('a');
select is(pg_temp.error_as('ann', $$select post_chat_message({chat}, 'five')$$), 'WR008', 'F11_a_limit_of_zero_saves_no_message');

select * from finish();
rollback;
