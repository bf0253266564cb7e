-- Why a server could not be deployed, does not run or could not be called.

-- The closed list of reasons, with the one sentence per code that members read; an admin reads the instance's last_error. The program has
-- the same list (FailureCodes), and docs/errors.md says what to do; a test compares the three.
create table weir.failure_codes (
  code text not null,
  sentence text not null,
  constraint failure_codes_pkey primary key (code),
  constraint failure_codes_code_is_plain check (code ~ '^[a-z_]{1,40}$')
);
alter table weir.failure_codes enable row level security, force row level security;
revoke all on weir.failure_codes from public, anon, authenticated, service_role;
comment on table weir.failure_codes is 'global: the reasons that Weir gives for a server that fails';

-- Functions that record or show a reason read it. Nothing writes it after this migration.
create policy failure_codes_are_read on weir.failure_codes for select to weir_writer, weir_system using (true);
grant select on weir.failure_codes to weir_writer, weir_system;

-- Row-level security is forced on the migrator too. The policy lets it insert the codes, and is dropped after that.
create policy failure_codes_are_written_once on weir.failure_codes for insert to current_user with check (true);
insert into weir.failure_codes (code, sentence) values
  ('connection_refused', 'Nothing listens at the server''s address.'),
  ('name_not_resolved', 'The server''s host name does not resolve to an address.'),
  ('tls_failed', 'The TLS connection failed: the server''s certificate is not valid for its address, or the server does not speak TLS.'),
  ('connection_failed', 'The connection to the server failed or broke.'),
  ('timed_out', 'The server did not answer in time.'),
  ('address_not_allowed', 'Weir does not connect to the server''s address.'),
  ('scheme_not_allowed', 'Weir connects to servers by https only.'),
  ('unauthorized', 'The server requires a credential, and Weir has none for it.'),
  ('access_denied', 'The server does not allow the request.'),
  ('endpoint_not_found', 'There is no MCP endpoint at the server''s URL.'),
  ('rate_limited', 'The server received too many requests.'),
  ('server_unavailable', 'The server is temporarily unavailable.'),
  ('server_error', 'The server reported an internal error.'),
  ('redirected', 'The server redirects, and Weir follows no redirects.'),
  ('http_error', 'The server answered with an unexpected HTTP status.'),
  ('not_mcp', 'The server''s answer is neither JSON nor an event stream.'),
  ('malformed_error', 'The server''s error is malformed: its code is not an integer, or its message is not a string.'),
  ('protocol_error', 'The server''s answer is not valid MCP.'),
  ('request_refused', 'The server answered one of Weir''s own requests with an error.'),
  ('version_not_supported', 'The server speaks no protocol version that Weir supports.'),
  ('too_large', 'The server''s answer is larger than Weir accepts.'),
  ('session_lost', 'The server no longer knows its session.'),
  ('full', 'The server has no capacity left at the moment.'),
  ('too_many_calls', 'The server already has its maximum of concurrent calls.'),
  ('circuit_open', 'The server has failed repeatedly, so Weir does not call it for a few seconds.'),
  ('no_endpoint', 'The server has no address.'),
  ('package_invalid', 'The package is not one that a node can run.'),
  ('package_not_found', 'The package registry has no such package or version.'),
  ('registry_unreachable', 'The node cannot reach the package registry.'),
  ('install_timed_out', 'The package was not installed in time.'),
  ('package_install_failed', 'The package could not be installed.'),
  ('executable_missing', 'The package does not contain the executable.'),
  ('executable_ambiguous', 'The package has several executables, and the catalog entry names none of them.'),
  ('template_invalid', 'The configuration does not fit the catalog entry.'),
  ('runtime_unavailable', 'The node does not have the runtime that the server needs.'),
  ('directory_failed', 'The node could not prepare the server''s directory.'),
  ('start_failed', 'The node could not start the server''s process.'),
  ('exited_at_start', 'The server exited before it answered.'),
  ('handshake_timed_out', 'The server did not answer initialize in time.'),
  ('listing_timed_out', 'The server did not list its tools in time.'),
  ('listing_refused', 'The server answered the request for its tools with an error.'),
  ('child_exited', 'The server exited.'),
  ('unresponsive', 'The server does not answer pings.'),
  ('restarting', 'The server is being restarted.'),
  ('stop_failed', 'The server''s processes could not be ended.'),
  ('removal_incomplete', 'The server''s directory has not been removed yet.'),
  ('not_running', 'The node is not running the server.'),
  ('no_node', 'No online node is available for the server.'),
  ('node_unreachable', 'The node does not answer.'),
  ('node_key_lost', 'Weir cannot decrypt the node''s key.'),
  ('node_lost', 'The node has stopped sending heartbeats.'),
  ('node_restarted', 'The node was restarted.'),
  ('node_stopped', 'The node was stopped.'),
  ('second_organization', 'The node serves one organization only, and it is another one.'),
  ('generation_refused', 'The node reports a generation far ahead of the database.'),
  ('stale_generation', 'The node already knows a later generation.'),
  ('operation_reused', 'The node has already received this operation id with a different body.'),
  ('invalid_argument', 'The node rejected the request.'),
  ('not_supported', 'The node does not support what was requested.'),
  ('capability_too_old', 'This version of Weir is too old for the node.'),
  ('unauthenticated', 'The node rejected Weir''s key.'),
  ('forbidden', 'The node rejected this host name.'),
  ('not_found', 'The node does not have the server.'),
  ('catalog_blocked', 'The platform has blocked this catalog entry.'),
  ('failed', 'The server failed, and its node gave no reason that Weir knows.'),
  ('degraded', 'The server does not work properly, and its node gave no reason that Weir knows.'),
  ('internal', 'Weir or its node failed. The log says why.');
drop policy failure_codes_are_written_once on weir.failure_codes;

-- A node may have another version than this database, or report an invalid code: a code that is not in the list becomes `failed`. Null
-- stays null.
create function weir.failure_code(p_code text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select case when p_code is not null
    then coalesce((select c.code from weir.failure_codes c where c.code = p_code), 'failed') end;
end;

-- The sentence that a member reads for a code of the list. Null for any other code.
create function weir.failure_sentence(p_code text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select c.sentence from weir.failure_codes c where c.code = p_code;
end;

-- The text of a failure in the audit log: the code, and as much of the error as fits into a row.
create function weir.failure_detail(p_code text, p_error text) returns text
language sql immutable parallel safe
  return weir.cut(concat_ws(': ', p_code, p_error), 500);

revoke all on function weir.failure_code, weir.failure_sentence, weir.failure_detail from public;
grant execute on function weir.failure_code, weir.failure_sentence, weir.failure_detail to weir_writer, weir_system;
