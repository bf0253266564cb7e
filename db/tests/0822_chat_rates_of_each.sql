-- The limit of chat messages a minute, for a person who writes in two organizations: each has its own limit and its own count.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select plan(5);

insert into workspace_members (organization_id, workspace_id, user_id)
select pg_temp.id_of(w.organization), pg_temp.id_of(w.workspace), pg_temp.id_of('mel')
from (values ('a', 'home'), ('b', 'den')) w(organization, workspace);
savepoint s;

-- The limit; the row that was written last is read last, so both orders are tried.
update organizations set max_chat_messages_per_minute = 1000 where id = pg_temp.id_of('b');
update organizations set max_chat_messages_per_minute = 0 where id = pg_temp.id_of('a');
select is(pg_temp.error_as('mel', $$select post_chat_message({chat}, 'hi')$$), 'WR008',
  'F11_a_member_of_two_organizations_saves_no_message_where_the_limit_is_zero');
select is(pg_temp.error_as('mel', $$select post_chat_message({denchat}, 'hi')$$), 'ok',
  'F11_a_member_of_two_organizations_saves_a_message_within_the_limit');
rollback to s;
update organizations set max_chat_messages_per_minute = 0 where id = pg_temp.id_of('a');
update organizations set max_chat_messages_per_minute = 1000 where id = pg_temp.id_of('b');
select is(pg_temp.error_as('mel', $$select post_chat_message({chat}, 'hi')$$), 'WR008',
  'F11_the_limit_of_zero_holds_whichever_organization_was_changed_last');
select is(pg_temp.error_as('mel', $$select post_chat_message({denchat}, 'hi')$$), 'ok',
  'F11_the_other_organization_is_below_its_limit_whichever_was_changed_last');
rollback to s;

-- The count: the messages of the other organization do not change the time to wait.
update organizations set max_chat_messages_per_minute = 1 where id = pg_temp.id_of('a');
select pg_temp.as_user('mel', $$select post_chat_message({chat}, 'one')$$) \g /dev/null
insert into weir.chat_rates (organization_id, used_until) values (pg_temp.id_of('b'), clock_timestamp() + interval '1 hour');
select cmp_ok(pg_temp.as_user('mel', $$select post_chat_message({chat}, 'two') ->> 'retry_after'$$)::integer, '<=', 60,
  'F11_the_time_to_wait_is_that_of_the_organization_of_the_message');
select * from finish();
rollback;
