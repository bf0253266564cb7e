-- Bounds of jsonb values from outside. PostgreSQL stores 1e131000 in a few bytes and prints it as 131,001 digits, so 64 KiB
-- of jsonb can become gigabytes of text. No function, check constraint or trigger may turn a value into text, or walk it,
-- before weir.bounds_error has returned null for it.

-- What of the value is beyond the bounds, or null. Everything that /mcp and /rest/v1 accept (64 levels, numbers of 400
-- characters, exponents up to 400) is within them, also after Weir has wrapped it.
-- The order of the checks matters: size first, because it costs nothing; then nesting; then numbers.
--   pg_column_size   of the value as it is, which may be compressed if it comes from a table, and then of `#> '{}'`,
--                    which is the value decompressed. Each member and element takes at least four bytes, so the size
--                    bounds their number too.
--   strict $.**      walks the value in place and copies only what it finds; with a level it stops at that level
--   ::numeric        takes a number out of the value; comparing it and reading its scale print nothing
create function weir.bounds_error(p_value jsonb, p_max_bytes integer) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_column_size(p_value) > p_max_bytes or pg_column_size(p_value #> '{}') > p_max_bytes then
    return format('is larger than %s KiB', p_max_bytes / 1024);
  elsif jsonb_path_exists(p_value, 'strict $.**{257}') then
    return 'is nested deeper than 256 levels';
  -- All numbers are collected in one array first: as a set, the results of jsonb_path_query take time quadratic in their
  -- number.
  elsif exists (select from jsonb_array_elements(jsonb_path_query_array(p_value, 'strict $.** ? (@.type() == "number")')) n
                where abs(n::numeric) >= 1e800 or scale(n::numeric) > 800) then
    return 'has a number of more than 800 digits before or behind its point';
  end if;
  return null;
end;
$$;
revoke all on function weir.bounds_error(jsonb, integer) from public;
grant execute on function weir.bounds_error(jsonb, integer) to weir_writer, weir_system;
