-- Deleting a message: what it said is gone, and that there was one stays. Nothing else of a message ever changes.

alter table public.chat_messages
  -- Null: not deleted.
  add column deleted_at timestamptz,
  add constraint chat_messages_deleted_says_nothing check (deleted_at is null or content = '');

-- In a channel that the author still sees; chat_channels' own policy decides that. Deleting is the only change: the granted columns are
-- content, which must become empty, and deleted_at.
create policy messages_are_deleted_by_their_author on public.chat_messages for update to weir_writer
  using (sender = 'user' and user_id = (select weir.actor_id())
         and channel_id = any(array(select c.id from public.chat_channels c)))
  with check (sender = 'user' and user_id = (select weir.actor_id()) and deleted_at is not null);
grant update (content, deleted_at) on public.chat_messages to weir_writer;
grant select (deleted_at) on public.chat_messages to weir_system;

-- Only the author may, in a channel that they still see; whoever else sees the message gets WR003, and everybody else WR004. What was
-- answered to it stays, because the agent said that. A turn that is at work on the message makes no further call (weir.record_chat_call).
-- A repeated call gives the time of the first and leaves no row in the audit log; the first leaves one, with the message's id.
create function weir.delete_chat_message(p_message_id uuid) returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_act weir.act;
  v_is_own boolean;
  v_deleted_at timestamptz;
  v_refusal jsonb;
begin
  v_act := weir.act('chat', 'delete_chat_message', 'see');
  select m.organization_id, m.sender = 'user' and m.user_id = weir.actor_id() into v_act.organization_id, v_is_own
  from public.chat_messages m where m.id = p_message_id;
  v_refusal := weir.authorize(v_act, 'there is no such message');
  if v_refusal is not null then
    return v_refusal;
  elsif v_is_own is not true then
    return weir.refuse(v_act, 'WR003', 'a message is deleted by its author');
  end if;
  update public.chat_messages m set content = '', deleted_at = clock_timestamp()
  where m.id = p_message_id and m.deleted_at is null
  returning m.deleted_at into v_deleted_at;
  if found then
    perform weir.record_act(v_act, p_message_id::text);
  else
    select m.deleted_at into v_deleted_at from public.chat_messages m where m.id = p_message_id;
  end if;
  return jsonb_build_object('id', p_message_id, 'deleted_at', v_deleted_at);
end;
$$;
revoke all on function weir.delete_chat_message(uuid) from public;
grant execute on function weir.delete_chat_message(uuid) to authenticated;
grant create on schema weir to weir_writer;
alter function weir.delete_chat_message(uuid) owner to weir_writer;
revoke create on schema weir from weir_writer;

-- The published name; parameter names are API.
create function public.delete_chat_message(message_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_chat_message($1); end;
revoke all on function public.delete_chat_message(uuid) from public, anon, authenticated, service_role;
grant execute on function public.delete_chat_message(uuid) to authenticated;
