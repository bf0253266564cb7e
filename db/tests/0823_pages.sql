-- Pages of a channel.
begin;
\ir ../testing/helpers.sql
\ir ../testing/world.sql
select no_plan();

-- The pages of a channel have each message once, in one order, whatever their size
select pg_temp.as_user('ann', format('select post_chat_message({chat}, %L)', 'm' || n)) from generate_series(1, 25) n \g /dev/null
create function pg_temp.read_all_pages(p_limit integer) returns text language plpgsql as $$
declare
  v_before text := 'null';
  v_page text[];
  v_all text[] := '{}';
begin
  loop
    v_page := pg_temp.as_user('mia',
      format('select array_agg(id) from get_chat_messages_with_details({chat}, %s, %s)', v_before, p_limit))::text[];
    exit when v_page is null;
    v_all := v_all || v_page;
    v_before := quote_literal(v_page[cardinality(v_page)]);
  end loop;
  return v_all::text;
end;
$$;
select is(pg_temp.read_all_pages(n),
  (select array_agg(id order by id desc)::text from chat_messages where channel_id = pg_temp.id_of('chat')),
  format('pages of %s have each message once and the newest first', n))
from unnest(array[1, 7, 25, 200]) n;
select is(pg_temp.as_user('mia', format('select count(*) from get_chat_messages_with_details({chat}, null, %s)', n)), 'WR001',
  format('a page of %s messages is refused', n))
from unnest(array[-1, 0, 201, 2147483647]) n;
select * from finish();
rollback;
