using System.Text.RegularExpressions;
using Weir.Postgres;

namespace Weir.Isolation.Attack;

/// <summary>
/// Every published function, with the victim's ids in all parameters, then in one beside the attacker's own. Each call is made once
/// more with ids that nothing has: the two answers must be alike.
/// </summary>
internal sealed partial class FunctionAttack(Rehearsal database, Victim victim, Tenant attacker, Ledger ledger, CancellationToken ct)
{
    /// <summary>For each of the victim's ids one that nothing has.</summary>
    private readonly Dictionary<string, string> _twins = victim.Tenant.Ids.Values.Distinct()
        .ToDictionary(id => id, Arguments.Twin, StringComparer.Ordinal);

    public async Task RunAsync(Surface surface, string name, Actor actor)
    {
        foreach (var function in surface.Functions.Where(f => f.IsPublished))
        {
            foreach (var call in Calls(function))
            {
                if (!await RunAsync(function, name, actor, call))
                {
                    break;
                }
            }
        }
    }

    /// <summary>Once more with temporary tables that say the attacker owns the victim.</summary>
    public async Task RunShadowedAsync(Surface surface)
    {
        var calls = surface.Functions.Where(f => f.IsPublished).SelectMany(f => Calls(f).Select(call => (Function: f, Call: call)))
            .ToArray();
        var plain = new List<string>();
        foreach (var (function, call) in calls)
        {
            plain.Add(await AnswerAsync(function, call));
        }

        var shadow = AttackQueries.Shadow(surface, victim.Rows, row => row.Replace(
            victim.Tenant.OwnerId.ToString(), attacker.OwnerId.ToString(), StringComparison.Ordinal));
        // The owner makes them, for whoever may make some of their own.
        var made = await database.TryAsync(new Actor("none", ""), shadow, [], ct, async () =>
        {
            await database.ExecuteAsync(AttackQueries.ForgetPlans, ct);
            foreach (var ((function, call), before) in calls.Zip(plain))
            {
                if (await AnswerAsync(function, call) is { } answer && answer != before)
                {
                    ledger.Find("attack-shadow", function.Object,
                        $"with temporary tables of Weir's names it answers {Excerpt(answer)}, without them {Excerpt(before)}");
                }
            }
        });
        if (made.Sqlstate is not null)
        {
            ledger.NotTried("attack-shadow", "temporary tables", $"they could not be made, so this was not tried: {made.Text}");
        }
    }

    /// <summary>False where the actor may not execute the function at all: then no other arguments will do.</summary>
    private async Task<bool> RunAsync(Function function, string name, Actor actor, Call call)
    {
        var changed = false;
        var theirs = await TryAsync(function, actor, call.Values, async () => changed = await victim.IsChangedAsync(ct));
        var nobodys = await TryAsync(function, actor, call.Twins, null);

        if (changed)
        {
            ledger.Find("attack-change", function.Object, $"{name} changes rows of another organization: {call}");
        }

        if (theirs.Rows.Append(theirs.Text).Select(text => victim.TraceIn(text, call.Said))
            .FirstOrDefault(trace => trace is not null) is { } trace)
        {
            ledger.Find("attack-answer", function.Object, $"{name} is answered {trace}: {call}");
        }

        if (Alike(theirs, call.Values) is var one && Alike(nobodys, call.Twins) is var other && one != other)
        {
            ledger.Find("attack-oracle", function.Object,
                $"{name} is answered {Excerpt(one)} for what is there, {Excerpt(other)} for what is not: {call}");
        }

        return !theirs.IsRefused || !theirs.Text.StartsWith("permission denied for function", StringComparison.Ordinal);
    }

    private async Task<string> AnswerAsync(Function function, Call call) =>
        Alike(await TryAsync(function, attacker.Owner, call.Values, null), call.Values);

    private Task<Attempt> TryAsync(Function function, Actor actor, IReadOnlyDictionary<string, string?> values, Func<Task>? afterwards)
    {
        ledger.Tried();
        var (sql, parameters) = AttackQueries.Call(function, values);
        return database.TryAsync(actor, sql, parameters, ct, afterwards);
    }

    // All of theirs, then one of theirs among one's own; each with what may be left out, and without it.
    private IEnumerable<Call> Calls(Function function)
    {
        var ids = function.Parameters.Where(Arguments.IsId).ToArray();
        foreach (var action in function.Parameters.Any(p => p.Name == "action") ? Arguments.Actions : ["stop"])
        {
            foreach (var whole in ids.Any(p => p.IsOptional) ? new[] { true, false } : [true])
            {
                if (ids.Any(p => whole || !p.IsOptional))
                {
                    yield return Make(function, action, p => whole || !p.IsOptional ? Arguments.IdFor(p, victim.Tenant.Ids) : null);
                }

                // Not a key's public part: it is unique among all keys, and says so to who guesses it.
                foreach (var parameter in ids.Where(p => p.Type == "uuid"))
                {
                    foreach (var id in Candidates(parameter))
                    {
                        yield return Make(
                            function, action, p => p == parameter ? id : whole || !p.IsOptional ? Arguments.IdFor(p, attacker.Ids) : null);
                    }
                }
            }
        }
    }

    private IEnumerable<string> Candidates(AttackedParameter parameter) => Arguments.KindOf(parameter) is null
        ? victim.Tenant.Ids.Values.Where(id => Guid.TryParse(id, out _))
        : [Arguments.IdFor(parameter, victim.Tenant.Ids)];

    private Call Make(Function function, string action, Func<AttackedParameter, string?> idOf)
    {
        var (values, twins) =
            (new Dictionary<string, string?>(StringComparer.Ordinal), new Dictionary<string, string?>(StringComparer.Ordinal));
        foreach (var parameter in function.Parameters)
        {
            if ((Arguments.IsId(parameter) ? idOf(parameter) : Arguments.Plausible(parameter, action)) is { } value)
            {
                values[parameter.Name] = value;
                twins[parameter.Name] =
                    _twins.Aggregate(value, (text, twin) => text.Replace(twin.Key, twin.Value, StringComparison.Ordinal));
            }
        }

        return new Call(values, twins);
    }

    /// <summary>An answer without what differs in any two calls: the ids that were said, those that were made, and times.</summary>
    private static string Alike(Attempt attempt, IReadOnlyDictionary<string, string?> values)
    {
        var text = $"{attempt.Sqlstate} {attempt.Text} {string.Join('\n', attempt.Rows)}";
        text =
            values.Values.OfType<string>().Where(value => value.Length >= 16)
                .Aggregate(text, (t, value) => t.Replace(value, "…", StringComparison.Ordinal));
        return Time().Replace(Victim.Id().Replace(text, "…"), "…").Trim();
    }

    private static string Excerpt(string text) => text.Length <= 120 ? $"\"{text}\"" : $"\"{text[..120]}…\"";

    [GeneratedRegex(@"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[0-9.:+Z-]*", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Time();

    private sealed record Call(IReadOnlyDictionary<string, string?> Values, IReadOnlyDictionary<string, string?> Twins)
    {
        public IEnumerable<string> Said =>
            Values.Values.OfType<string>().SelectMany(value => Victim.Id().Matches(value).Select(m => m.Value));

        public override string ToString() =>
            string.Join(", ", Values.Where(v => Twins[v.Key] != v.Value).Select(v => v.Key)) + " of the other organization";
    }
}
