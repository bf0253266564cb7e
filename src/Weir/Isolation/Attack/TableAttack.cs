using System.Text.Json;
using NpgsqlTypes;
using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <summary>Every table by name: read whole and by the victim's ids, written in every way.</summary>
internal sealed class TableAttack(Rehearsal database, Victim victim, Tenant attacker, Ledger ledger, CancellationToken ct)
{
    public async Task RunAsync(Surface surface, string name, Actor actor)
    {
        foreach (var table in surface.Published)
        {
            await ReadAsync(table, name, actor);
            await WriteAsync(table, name, actor);
        }
    }

    /// <summary>What is in the schema weir, by name. The privilege is a role's: one person stands for all.</summary>
    public async Task PeekAsync(Surface surface, string name, Actor actor)
    {
        foreach (var (@object, sql) in surface.Tables.Where(t => !t.IsPublished).Select(t => (t.Object, AttackQueries.Peek(t)))
            .Concat(surface.Functions.Where(f => !f.IsPublished).Select(f => (f.Object, AttackQueries.Peek(f)))))
        {
            var attempt = await TryAsync(actor, sql);
            if (!attempt.IsRefused)
            {
                ledger.Find("attack-weir", @object, $"{name} is not refused: {attempt.Sqlstate ?? "it succeeds"} {attempt.Text}".TrimEnd());
            }
        }
    }

    private async Task ReadAsync(Table table, string name, Actor actor)
    {
        foreach (var sql in AttackQueries.Reads(table))
        {
            var attempt = await TryAsync(actor, sql);
            if (attempt.Rows.FirstOrDefault(row => victim.TraceIn(row, []) is not null || IsForeign(table, row)) is not null)
            {
                ledger.Find("attack-read", table.Object, $"{name} reads rows of another organization");
            }
        }

        if (AttackQueries.Count(table) is { } count)
        {
            var attempt = await TryAsync(actor, count, Sql.Array(NpgsqlDbType.Text, victim.Ids.ToArray()));
            if (attempt.Rows is [not "0"])
            {
                ledger.Find("attack-read", table.Object, $"{name} counts rows of another organization");
            }
        }
    }

    // Also of tenants that were there before: the attacker belongs to one organization.
    private bool IsForeign(Table table, string row)
    {
        if (table.Class != "tenant")
        {
            return false;
        }

        var columns = JsonElement.Parse(row);
        return (columns.TryGetProperty("organization_id", out var organization) || columns.TryGetProperty("id", out organization))
            && organization.GetString() != attacker.Ids["organization"];
    }

    private async Task WriteAsync(Table table, string name, Actor actor)
    {
        foreach (var (verb, sql) in AttackQueries.Writes(table))
        {
            var attempt = await TryAsync(actor, sql);
            if (!attempt.IsRefused)
            {
                ledger.Find("attack-write", table.Object, $"{name} may {verb} it");
            }
        }
    }

    private Task<Attempt> TryAsync(Actor actor, string sql, params Npgsql.NpgsqlParameter[] parameters)
    {
        ledger.Tried();
        return database.TryAsync(actor, sql, parameters, ct);
    }
}
