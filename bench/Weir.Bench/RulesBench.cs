using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Weir.Configuration;
using Weir.Gateway;
using Weir.Gateway.Admission;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Bench;

/// <summary>
/// <c>weir bench rules</c>: what a grant whose rules cost the most that may be granted adds to an admission, construct by construct, and
/// what an organization that keeps 48 such calls waiting does to another's. All take turns in every round: read differences and ratios.
/// </summary>
internal sealed class RulesBench(BenchDatabase world, Databases databases)
{
    private const string Usual = """{"path": {"type": "string", "under": "/data"}}""";
    private const int Attacking = 48;

    private readonly AdmissionQueries _queries = new(databases, Guid.CreateVersion7(TimeProvider.System.GetUtcNow()));

    public static async Task<int> RunAsync(BenchOptions options)
    {
        await using var world = await BenchDatabase.StartAsync();
        await world.Superuser.ExecuteAsync(
            await File.ReadAllTextAsync(Path.Combine(Repository.Root, "db", "testing", "bulk.sql")), [], CancellationToken.None);
        await world.Superuser.ExecuteAsync("select bulk.populate(4, 10, 2, 1000)", [], CancellationToken.None);
        await world.Superuser.ExecuteAsync("vacuum analyze", [], CancellationToken.None);
        await using var databases = Databases.Open(world.Config);
        var bench = new RulesBench(world, databases);
        await bench.CostsAsync(options);
        await bench.AttackAsync(options);
        return 0;
    }

    /// <summary>Each construct at its largest: rules, and the arguments that ask the most of them.</summary>
    private static (string Name, string Rules, string Arguments)[] Constructs()
    {
        var state = 1u;
        char Letter() => ((state = (state * 1664525) + 1013904223) & 0x8000_0000) == 0 ? 'a' : 'b';
        string Letters(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => Letter()));
        string Many(int count, Func<int, string> member) => "{" + string.Join(", ", Enumerable.Range(1, count).Select(member)) + "}";
        string List(int count, string element) => "[" + string.Join(", ", Enumerable.Repeat(element, count)) + "]";
        var values = string.Join(", ", Enumerable.Range(1, 15).Select(n => $"\"v{n:00}\""));
        return
        [
            ("one path (what the others are compared with)", Usual, """{"path": "/data/file.txt"}"""),
            ("one pattern of 36 positions, 4,096 characters", """{"a": {"matches": "[ab]*a[ab]{34}x"}}""",
                $$"""{"a": "{{Letters(4096)}}"}"""),
            (
                "one pattern, eight classes repeated", """{"a": {"matches": "\\w{20}\\w{20}\\w{20}\\w{20}\\w{20}\\w{20}\\w{20}\\w{20}"}}""",
                $$"""{"a": "{{Letters(160)}}"}"""),
            (
                "8 arguments, each with a pattern", Many(8, n => $$""" "a{{n}}": {"matches": "x{{n}}[a-z]+"} """),
                Many(8, n => $"\"a{n}\": \"x{n}{Letters(4000)}\"")),
            ("70 arguments, each a number", Many(70, n => $$""" "a{{n}}": {"type": "number"} """), Many(70, n => $"\"a{n}\": 1")),
            ("17 arguments, each a path", Many(17, n => $$""" "a{{n}}": {"under": "/d"} """),
                Many(17, n => $"\"a{n}\": \"/d/{Letters(3000)}\"")),
            (
                "256 elements, each a path", """{"l": {"each": {"type": "string", "under": "/d"}}}""",
                $$"""{"l": {{List(256, "\"/d/abcdefghijklmnopqrst\"")}}}"""),
            (
                "256 elements, each a pattern", """{"l": {"each": {"matches": "[^@]+@example\\.org"}}}""",
                $$"""{"l": {{List(256, "\"somebody@example.org\"")}}}"""),
            ("256 elements, each one of 15", $$"""{"l": {"each": {"in": [{{values}}] } } }""", $$"""{"l": {{List(256, "\"v15\"")}}}"""),
            ("120 elements of one element each", """{"l": {"each": {"each": {"type": "number"}}}}""", $$"""{"l": {{List(120, "[1]")}}}"""),
        ];
    }

    private async Task CostsAsync(BenchOptions options)
    {
        var constructs = Constructs();
        for (var i = 0; i < constructs.Length; i++)
        {
            await GrantAsync(i, constructs[i].Rules);
        }

        var calls = constructs.Select((c, i) => (Func<AdmissionRequest>)(() => Call(i, c.Arguments))).ToArray();
        var taken = calls.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round <= options.Rounds * 50; round++)
        {
            for (var i = 0; i < calls.Length; i++)
            {
                var begun = TimeProvider.System.GetTimestamp();
                var decision = (await _queries.AdmitAsync([calls[i]()]))[0];
                if (round > 0)
                {
                    taken[i].Add(TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds);
                }

                if (decision.Reason is not (null or "argument_rule"))
                {
                    throw new InvalidOperationException($"{constructs[i].Name}: {decision.Reason}");
                }
            }
        }

        Console.WriteLine($"One admission, rules at the most that is granted; {options.Rounds * 50} calls of each in turn");
        Console.WriteLine();
        Console.WriteLine("| rules | steps | p50 ms | more than one path, ms |");
        Console.WriteLine("|---|---|---|---|");
        for (var i = 0; i < calls.Length; i++)
        {
            var steps = await world.Superuser.ScalarAsync<decimal>(
                "select round(weir.entry_cost($1))", [Sql.Jsonb($$"""{"args": {{constructs[i].Rules}}}""")], CancellationToken.None);
            var p50 = Percentile(taken[i], 0.5);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {constructs[i].Name} | {steps:0} | {p50:0.00} | {p50 - Percentile(taken[0], 0.5):0.00} |"));
        }

        Console.WriteLine();
    }

    /// <summary>
    /// The second organization's calls, one at a time, while the first keeps 48 waiting, through the queue as a replica has it.
    /// </summary>
    private async Task AttackAsync(BenchOptions options)
    {
        var heavy = Constructs()[1].Arguments;
        var attacks = new (string Name, Func<AdmissionRequest>? Call)[]
        {
            ("nobody", null),
            ("of one path each", () => Call(0, """{"path": "/data/file.txt"}""")),
            ("of rules that cost the most", () => Call(1, heavy)),
        };
        var taken = attacks.Select(_ => new List<double>()).ToArray();
        var attacked = new int[attacks.Length];
        for (var round = 0; round <= options.Rounds; round++)
        {
            for (var i = 0; i < attacks.Length; i++)
            {
                var (quiet, others) = await AttackOnceAsync(attacks[i].Call, TimeSpan.FromSeconds(options.Seconds));
                if (round > 0)
                {
                    taken[i].AddRange(quiet);
                    attacked[i] += others;
                }
            }
        }

        Console.WriteLine(
            $"One organization's admissions while another keeps {Attacking} calls waiting; {options.Rounds} rounds of {options.Seconds} s");
        Console.WriteLine();
        Console.WriteLine("| the other's calls | a second | p50 ms | p99 ms | p99, times alone |");
        Console.WriteLine("|---|---|---|---|---|");
        for (var i = 0; i < attacks.Length; i++)
        {
            var (p50, p99) = (Percentile(taken[i], 0.5), Percentile(taken[i], 0.99));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {attacks[i].Name} | {attacked[i] / (options.Rounds * options.Seconds)} | {p50:0.00} | {p99:0.00} | "
                    + $"{p99 / Percentile(taken[0], 0.99):0.0} |"));
        }
    }

    private async Task<(List<double> Quiet, int Attacked)> AttackOnceAsync(Func<AdmissionRequest>? attack, TimeSpan duration)
    {
        await using var queue = new AdmissionQueue(
            _queries.AdmitAsync, _queries.RecordDenialAsync, new AdmissionConfig(), TimeSpan.FromSeconds(10), TimeProvider.System);
        var (started, attacked) = (TimeProvider.System.GetTimestamp(), 0);
        bool Goes() => TimeProvider.System.GetElapsedTime(started) < duration;
        var attackers = Enumerable.Range(0, attack is null ? 0 : Attacking).Select(_ => Task.Run(async () =>
        {
            while (Goes())
            {
                await queue.DecideAsync(attack!());
                Interlocked.Increment(ref attacked);
            }
        })).ToArray();
        var quiet = new List<double>();
        while (Goes())
        {
            var begun = TimeProvider.System.GetTimestamp();
            if (!(await queue.DecideAsync(Call(20, """{"path": "/data/file.txt"}"""))).Admitted)
            {
                throw new InvalidOperationException("A call of the quiet organization was denied.");
            }

            quiet.Add(TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds);
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System);
        }

        await Task.WhenAll(attackers);
        return (quiet, attacked);
    }

    /// <summary>Replaces what the agent may do with tool_0 of its organization's first server; the table's own check holds.</summary>
    private Task GrantAsync(int agent, string rules) => world.Superuser.ExecuteAsync(
        "with r as (select set_config('session_replication_role', 'replica', false)) "
        + "update public.agent_mcp_permissions set permissions = $2 from r where id = bulk.id('grant', $1)",
        [Sql.Bigint(agent * 2), Sql.Jsonb($$"""{"tools": {"tool_0": {"args": {{rules}} } } }""")],
        CancellationToken.None);

    private static AdmissionRequest Call(int agent, string arguments) => new(
        CallKey.At(TimeProvider.System.GetUtcNow()), Id("organization", agent / 10),
        Principal.OfKey(new AgentKey(Text("key", agent)[..16], SHA256.HashData(Encoding.UTF8.GetBytes($"secret{agent}")))),
        CallKinds.Tool, Id("server", agent / 10 * 2), "tool_0", arguments, "7", 1, arguments.Length, new byte[32], "{}");

    private static double Percentile(List<double> taken, double p)
    {
        var sorted = taken.Order().ToArray();
        return sorted[(int)Math.Min(sorted.Length - 1, sorted.Length * p)];
    }

    // As db/testing/bulk.sql makes them.
    private static string Text(string what, int number) =>
#pragma warning disable CA5351 // an id for a test world
        Convert.ToHexStringLower(MD5.HashData(Encoding.UTF8.GetBytes($"{what}{number}")));
#pragma warning restore CA5351

    private static Guid Id(string what, int number) => Guid.ParseExact(Text(what, number), "N");
}
