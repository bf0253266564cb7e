-- Who changes an organization's members, and the guard that keeps an active owner in it.

-- For weir.change_member. An admin changes members, and only an owner changes an owner or makes one. Everybody may leave, and no more:
-- the row that they write of themselves says `removed`.
create policy members_are_changed_by_admins_and_leave_by_themselves on public.organization_members for update to weir_writer
  using ((organization_id = any(array(select weir.my_organizations('admin')))
          and (role <> 'owner' or organization_id = any(array(select weir.my_organizations('owner')))))
         or (user_id = (select weir.actor_id()) and organization_id = any(array(select weir.my_organizations()))))
  with check ((organization_id = any(array(select weir.my_organizations('admin')))
               and (role <> 'owner' or organization_id = any(array(select weir.my_organizations('owner')))))
              or (user_id = (select weir.actor_id()) and status = 'removed'));
grant update (role, status, updated_at) on public.organization_members to weir_writer;
-- For weir.accept_invitation; and weir.guard_last_owner, whose `for share` needs a privilege to update.
grant insert (organization_id, user_id, role, status, invited_by), update (role, status, invited_by, updated_at)
  on public.organization_members to weir_system;

-- Whoever is removed, or leaves the organization, leaves its workspaces.
create policy workspace_members_leave_with_the_organization on public.workspace_members for delete to weir_writer
  using (organization_id = any(array(select weir.my_organizations('admin'))) or user_id = (select weir.actor_id()));
grant delete on public.workspace_members to weir_writer;

-- An organization keeps an active owner for as long as it exists, whoever writes, through a function or by direct SQL. The trigger
-- b_member_change has taken the organization's lock before. So of two owners who leave at once, the second looks after the first has
-- left, and `for share` fails a transaction whose snapshot is older than that. Definer, because whoever has just left sees no members any
-- more.
create function weir.guard_last_owner() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'UPDATE' and new.role = 'owner' and new.status = 'active' and new.organization_id = old.organization_id
     and new.user_id = old.user_id then
    return null;
  end if;
  perform from public.organization_members m
  where m.organization_id = old.organization_id and m.role = 'owner' and m.status = 'active' and m.user_id <> old.user_id
  limit 1 for share;
  if not found and exists (select from public.organizations o where o.id = old.organization_id) then
    raise exception using errcode = 'WR005', message = 'an organization keeps an active owner: hand it over first, or delete it';
  end if;
  return null;
end;
$$;
revoke all on function weir.guard_last_owner() from public;
-- After the change, so that it sees what is left.
create trigger c_guard_last_owner after update or delete on public.organization_members
  for each row when (old.role = 'owner' and old.status = 'active') execute function weir.guard_last_owner();

grant create on schema weir to weir_system;
alter function weir.guard_last_owner() owner to weir_system;
revoke create on schema weir from weir_system;
