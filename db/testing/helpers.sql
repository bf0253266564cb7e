-- Helpers of the tests; never part of a migration. Loaded by every test inside its transaction, into pg_temp, so that
-- nothing is left. The tests run as a role that may become authenticated, anon, weir_gateway and weir_engine.
set client_min_messages = warning;

-- Becomes a signed-in person, as the gateway does: role and claims for this transaction only.
create function pg_temp.authenticate_as(p_user_id uuid) returns void language plpgsql as $$
begin
  perform set_config('role', 'authenticated', true),
          set_config('request.jwt.claims', jsonb_build_object('sub', p_user_id, 'role', 'authenticated')::text, true);
end;
$$;

-- Becomes nobody.
create function pg_temp.authenticate_as_anon() returns void language plpgsql as $$
begin
  perform set_config('role', 'anon', true), set_config('request.jwt.claims', '{"role": "anon"}', true);
end;
$$;

-- Becomes the gateway's engine.
create function pg_temp.become_engine() returns void language plpgsql as $$
begin
  perform set_config('role', 'weir_engine', true), set_config('request.jwt.claims', '', true);
end;
$$;

-- Becomes the role that the test began with.
create function pg_temp.become_owner() returns void language plpgsql as $$
begin
  perform set_config('role', 'none', true), set_config('request.jwt.claims', '', true);
end;
$$;

-- A user of the issuer; as the owner.
create function pg_temp.make_user(p_email text) returns uuid language plpgsql as $$
declare
  v_id uuid := weir.uuid_v7();
begin
  if (select i.embedded_issuer from weir.installation i) then
    return weir.create_user(p_email, 'not a hash');
  end if;
  insert into auth.users (id, email) values (v_id, p_email);
  return v_id;
end;
$$;
