-- A message that its author deletes: what it said is gone, that there was one stays. Nothing else of a message ever changes.
alter table public.chat_messages
  add column deleted_at timestamptz,
  add constraint chat_messages_deleted_says_nothing check (deleted_at is null or content = '');
create policy messages_are_deleted_by_their_author on public.chat_messages for update to weir_writer
  using (sender = 'user' and user_id = (select weir.actor_id())
         and channel_id = any(array(select c.id from public.chat_channels c)))
  with check (sender = 'user' and user_id = (select weir.actor_id()) and deleted_at is not null);
grant update (content, deleted_at) on public.chat_messages to weir_writer;
grant select (deleted_at) on public.chat_messages to weir_system;

-- Only the author may delete a message, in a channel that they still see. To delete it again is harmless. What was answered to it stays:
-- that is the agent's.
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

create function public.delete_chat_message(message_id uuid) returns jsonb
language sql volatile begin atomic select weir.delete_chat_message($1); end;
revoke all on function public.delete_chat_message(uuid) from public, anon, authenticated, service_role;
grant execute on function public.delete_chat_message(uuid) to authenticated;
