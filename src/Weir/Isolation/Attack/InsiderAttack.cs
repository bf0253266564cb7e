using System.Text.RegularExpressions;
using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <summary>
/// What somebody does in their own organization, where row-level security shows them nearly everything: values that would be gigabytes as
/// text, rules that cost every call, a colleague brought to another's agent, and the catalog's columns with commands and tokens.
/// </summary>
internal sealed partial class InsiderAttack(Rehearsal database, Tenant attacker, Ledger ledger, CancellationToken ct)
{
    /// <summary>A kilobyte in the database, and 13 MB as text.</summary>
    private static readonly string Expanding = $$"""{"x":[{{string.Join(',', Enumerable.Repeat("1e131000", 100))}}]}""";

    /// <summary>Five kilobytes, each rule of which a call would compile and match.</summary>
    private static readonly string Costly =
        """{"tools":{"probe":{"args":{"""
        + string.Join(',', Enumerable.Range(0, 60).Select(n => $$""" "a{{n}}":{"matches":"\\w{99}\\w{99}x{{n}}"}"""))
        + "}}}}";

    private static readonly string[] Commands = ["env", "args", "package", "bin"];

    public async Task RunAsync(Surface surface)
    {
        foreach (var function in surface.Functions.Where(f => f.IsPublished))
        {
            foreach (var parameter in function.Parameters.Where(p => p.Type == "jsonb"))
            {
                await ExpandAsync(function, parameter);
            }
        }

        if (surface.Functions.FirstOrDefault(f => f.Name == "public.grant_mcp_access") is { } grant)
        {
            await GrantAsync(grant);
        }

        if (surface.Functions.FirstOrDefault(f => f.Name == "public.add_workspace_member") is { } add)
        {
            await BringInAsync(add);
        }

        if (surface.Published.FirstOrDefault(t => t.Name == "mcp_server_catalog") is { } catalog)
        {
            await ReadCommandsAsync(catalog);
        }
    }

    /// <summary>Who may call it must be refused for the number: for anything else only after the value was looked at.</summary>
    private async Task ExpandAsync(Function function, AttackedParameter parameter)
    {
        var values = function.Parameters.ToDictionary(
            p => p.Name,
            p => p == parameter ? Expanding : Arguments.IsId(p) ? Arguments.IdFor(p, attacker.Ids) : Arguments.Plausible(p, "create"),
            StringComparer.Ordinal);
        // The agent is the member's, all else the owner's.
        Attempt[] attempts = [await TryAsync(attacker.Owner, function, values), await TryAsync(attacker.Member, function, values)];
        // Not executable: the engine's. Forbidden to an owner too: the platform's, and asked before the value is looked at.
        if (!attempts.All(a => a.IsRefused || IsForbidden(a))
            && !attempts.Any(a => Bounded().IsMatch(string.Join('\n', a.Rows.Append(a.Text)))))
        {
            ledger.Find("attack-value", function.Object,
                $"{parameter.Name} may hold numbers that are {Expanding.Length} bytes here and megabytes as text");
        }
    }

    private static bool IsForbidden(Attempt attempt) => attempt.Rows.Any(r => r.Contains("\"WR003\"", StringComparison.Ordinal));

    private async Task GrantAsync(Function grant)
    {
        var attempt = await TryAsync(attacker.Owner, grant, new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["agent_id"] = attacker.Ids["agent"], ["mcp_server_instance_id"] = attacker.Ids["server"], ["permissions"] = Costly,
        });
        if (IsAccepted(attempt))
        {
            ledger.Find("attack-cost", grant.Object,
                "a grant may have rules that cost each call, and with it everybody's admission, tens of milliseconds");
        }
    }

    private async Task BringInAsync(Function add)
    {
        var attempt = await TryAsync(attacker.Member, add, new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["workspace_id"] = attacker.Ids["workspace"], ["user_id"] = attacker.NewcomerId.ToString(),
        });
        if (IsAccepted(attempt))
        {
            ledger.Find("attack-agent", add.Object, "a member brings somebody into a workspace with an agent that is not the member's");
        }
    }

    private async Task ReadCommandsAsync(Table catalog)
    {
        foreach (var column in Commands.Intersect(catalog.Columns, StringComparer.Ordinal))
        {
            foreach (var actor in new[] { attacker.Owner, Actor.Nobody })
            {
                ledger.Tried();
                if (!(await database.TryAsync(actor, AttackQueries.Column(catalog, column), [], ct)).IsRefused)
                {
                    ledger.Find("attack-catalog", catalog.Object, $"{actor.Role} may read {column}");
                }
            }
        }
    }

    private static bool IsAccepted(Attempt attempt) =>
        attempt.Rows is [var answer] && !answer.StartsWith("""{"error":""", StringComparison.Ordinal);

    private Task<Attempt> TryAsync(Actor actor, Function function, IReadOnlyDictionary<string, string?> values)
    {
        ledger.Tried();
        var (sql, parameters) = AttackQueries.Call(function, values);
        return database.TryAsync(actor, sql, parameters, ct);
    }

    // A chunk holds texts only, so any number in its place is refused.
    [GeneratedRegex(
        @"has a number of more than|chunks must be an array", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Bounded();
}
