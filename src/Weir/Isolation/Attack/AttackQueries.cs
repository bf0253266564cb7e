using Npgsql;
using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <summary>The statements of the attack. They are made of what the live database has; values are parameters.</summary>
internal static class AttackQueries
{
    public const string IsEmbeddedIssuer =
        "select coalesce(obj_description(to_regclass('auth.users'), 'pg_class') like 'user: logins of the embedded issuer%', false)";
    public const string CreateUser = "select weir.create_user($1, 'not a hash')";
    public const string InsertUser =
        "insert into auth.users (id, email, email_confirmed_at) values (weir.uuid_v7(), $1, now()) returning id";

    /// <summary>From PostgreSQL 16 on a membership may be without the right to become the role.</summary>
    public const string BecomeApiRoles = """
        do $$
        declare
          v_role text;
          v_right constant text := case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end;
        begin
          foreach v_role in array array['anon', 'authenticated'] loop
            if not pg_has_role(current_user, v_role, v_right) then
              execute format('grant %I to %I', v_role, current_user);
            end if;
          end loop;
        end $$
        """;

    public const string RolesBeyond = """
        select r.rolname from pg_roles r
        where pg_has_role('weir_gateway', r.oid, 'MEMBER') and r.rolname not in ('weir_gateway', 'anon', 'authenticated')
        """;

    public const string Set = "select set_config($1, $2, true)";

    public const string ForgetPlans = "discard plans";

    /// <summary>Every row of somebody's that a person sees in the published tables, one text each.</summary>
    public static string Everything(Surface surface) =>
        string.Join("\nunion all\n", surface.Published.Where(t => t.IsOwned && t.Readable.Count > 0)
        .Select(t => $"select {Literal(t.Object)} || ' ' || to_jsonb(r)::text from (select {Columns(t)} from {t.Object}) r"));

    public static IEnumerable<string> Reads(Table table) =>
    [
        $"select to_jsonb(r)::text from {table.Object} r",
        .. table.Readable.Count > 0
            ? [$"select to_jsonb(r)::text from (select {Columns(table)} from {table.Object}) r"] : Array.Empty<string>(),
    ];

    /// <summary>The rows that one of these ids names, counted: 0 where all of them are another tenant's.</summary>
    public static string? Count(Table table) => table.Readable
        .Where(c => c is "id" || c.EndsWith("_id", StringComparison.Ordinal)).ToArray() is { Length: > 0 } ids
        ? $"select count(*)::text from {table.Object} where {string.Join(" or ", ids.Select(c => $"{Name(c)}::text = any($1)"))}"
        : null;

    // Of no row: whoever has no privilege is refused all the same, and who has it hurts nobody here.
    public static IEnumerable<(string Verb, string Sql)> Writes(Table table) =>
    [
        ("insert into", $"insert into {table.Object} default values"),
        ("update", $"update {table.Object} set {Name(table.Columns[0])} = default where false"),
        ("delete from", $"delete from {table.Object} where false"),
        ("truncate", $"truncate {table.Object}"),
    ];

    /// <summary>The privilege alone is looked at.</summary>
    public static string Column(Table table, string column) => $"select {Name(column)}::text from {table.Object} limit 0";

    public static string Peek(Table table) => $"select 'a row' from {table.Object} limit 1";

    public static string Peek(Function function) =>
        $"select {function.Name}({string.Join(", ", function.Parameters.Select(p => $"null::{p.Type}"))})::text";

    public static (string Sql, NpgsqlParameter[] Parameters) Call(Function function, IReadOnlyDictionary<string, string?> values)
    {
        var given = function.Parameters.Where(p => values.ContainsKey(p.Name)).ToArray();
        return (
            "select to_jsonb(answer)::text from "
                + $"{function.Name}({string.Join(", ", given.Select((p, i) => $"{Name(p.Name)} => ${i + 1}::{p.Type}"))}) answer",
            [.. given.Select(p => Sql.Text(values[p.Name]))]);
    }

    /// <summary>A temporary table in front of each of Weir's, with rows that make somebody else the owner of a tenant.</summary>
    public static string Shadow(Surface surface, IEnumerable<string> everything, Func<string, string> forge)
    {
        var rows = everything
            .Select(row => (Object: row[..row.IndexOf(' ', StringComparison.Ordinal)],
                Row: row[(row.IndexOf(' ', StringComparison.Ordinal) + 1)..]))
            .ToLookup(r => r.Object, r => r.Row);
        return Block(surface.Tables.DistinctBy(t => t.Name).SelectMany(t => new[]
        {
            $"create temporary table {Name(t.Name)} as table {t.Object} with no data;",
            $"grant all on pg_temp.{Name(t.Name)} to public;",
        }.Concat(rows[t.Object].Select(row =>
            $"insert into pg_temp.{Name(t.Name)} select * from jsonb_populate_record(null::pg_temp.{Name(t.Name)}, "
                + $"{Literal(forge(row))}::jsonb);"))));
    }

    private static string Block(IEnumerable<string> statements) => $"do {Literal($"begin {string.Join('\n', statements)} end")}";

    private static string Columns(Table table) => string.Join(", ", table.Readable.Select(Name));

    private static string Name(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
