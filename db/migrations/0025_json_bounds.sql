-- What a jsonb value from outside may be. PostgreSQL keeps 1e131000 in a few bytes and prints it as 131,001 digits, so a value of 64 KiB can
-- become gigabytes of text. No function, check constraint or trigger turns such a value into text, or walks it, before this function has
-- answered null for it.

-- What is beyond the bounds, or null. The order matters: size first, because it costs nothing, then nesting, then numbers. Whatever /mcp and
-- /rest/v1 take (64 levels, numbers of 400 characters and an exponent of 400) is within them, also with what Weir puts around it.
--   pg_column_size   of the value as it is, which may be compressed where it comes from a table, and then of all of it: `#> '{}'` answers the
--                    value itself, decompressed. Each member and element takes four bytes or more, so this bounds their number too
--   strict $.**      goes through the value where it lies and copies only what it finds; with a level it stops there
--   ::numeric        takes a number out of the value. Comparing it and asking for its scale print nothing
-- All numbers become one array first: a set that jsonb_path_query returns takes time by the square of its length.
create function weir.bounds_error(p_value jsonb, p_max_bytes integer) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_column_size(p_value) > p_max_bytes or pg_column_size(p_value #> '{}') > p_max_bytes then
    return format('is larger than %s KiB', p_max_bytes / 1024);
  elsif jsonb_path_exists(p_value, 'strict $.**{257}') then
    return 'is nested deeper than 256 levels';
  elsif exists (select from jsonb_array_elements(jsonb_path_query_array(p_value, 'strict $.** ? (@.type() == "number")')) n
                where abs(n::numeric) >= 1e800 or scale(n::numeric) > 800) then
    return 'has a number of more than 800 digits before or behind its point';
  end if;
  return null;
end;
$$;
revoke all on function weir.bounds_error(jsonb, integer) from public;
grant execute on function weir.bounds_error(jsonb, integer) to weir_writer, weir_system;
