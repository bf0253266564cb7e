using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Weir.Postgres;
using Weir.Rest;

namespace Weir.Tests.Rest;

/// <summary>
/// Every published function with a bad value in each of its arguments, the others being good, as a client sends it: what SQL cannot even
/// be given (<c>db/tests/1002_arguments.sql</c> has the rest). The functions come from the catalog, so a new one cannot be forgotten.
/// </summary>
public sealed partial class RestArgumentTests(RestWorld weir) : IClassFixture<RestWorld>, IAsyncLifetime
{
    /// <summary>
    /// The statement that counts all rows but the audit log's, the counters that refusals write, and how far the replica has got with its
    /// own work.
    /// </summary>
    private const string CountRows = """
        select 'select array_to_string(array[' || string_agg(format('%L || (select count(*) from %s)', c.oid::regclass || ' ', c.oid::regclass), ', ' order by c.oid) || '], '', '')'
        from pg_class c
        where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace, 'auth'::regnamespace)
          and c.relname !~ '^(mcp_interaction_logs|security_events|denial_counts|change_versions|replicas|usage_progress)'
        """;

    private static readonly string[] Small =
    [
        """ "a\u0000b" """, """ "\ud800" """, """ "x\udc00" """, """ {"\u0000": 1} """, "0", "99999999999", "1e400", "1e999999", "true",
        "\"\"", """ "' or 1=1--" """, "{}", "[]", "[null, 1, {}]",
        """ {"": [{"": null}]} """, "null", "[[1], [1, 2]]",
    ];

    private static readonly string[] Huge =
    [
        '"' + new string('y', 1_000_000) + '"', "[" + string.Join(',', Enumerable.Repeat("\"x\"", 10_000)) + "]",
        string.Concat(Enumerable.Repeat("[", 60)) + string.Concat(Enumerable.Repeat("]", 60)),
        string.Concat(Enumerable.Repeat("""{"a":""", 5000)) + "1" + new string('}', 5000),
    ];

    private NpgsqlConnection _connection = null!;
    private NpgsqlCommand _count = null!;

    public async ValueTask InitializeAsync()
    {
        _connection = await weir.Database.Superuser.OpenConnectionAsync();
        // Prepared: it runs after each of thousands of requests.
        _count = new NpgsqlCommand(await weir.Database.Superuser.ScalarAsync<string>(CountRows, [], CancellationToken.None), _connection);
        await _count.PrepareAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _count.DisposeAsync();
        await _connection.DisposeAsync();
    }

    [Fact]
    public async Task M11_M20_a_bad_value_is_refused_by_a_known_code_that_names_its_argument_and_nothing_is_written()
    {
        var functions =
            (await weir.Services.GetRequiredService<RestQueries>().PublishedAsync(CancellationToken.None)).AllFunctions.ToArray();
        var problems = new List<string>();
        var refused = 0;
        var rows = await CountAsync();
        functions.Length.ShouldBeGreaterThan(30);
        foreach (var function in functions)
        {
            foreach (var argument in function.Arguments)
            {
                foreach (var value in argument.Type is "text" or "jsonb" or "text[]" ? [.. Small, .. Huge] : Small)
                {
                    var reply = await weir.RpcAsync(function.Name, Arguments(function, argument, value));
                    var now = await CountAsync();
                    if ((int)reply.Status >= 400)
                    {
                        refused++;
                        problems.AddRange(
                            ProblemsOf(reply, argument.Name).Append(now == rows ? null : $"it wrote {Difference(rows, now)}")
                                .OfType<string>()
                            .Select(
                            p =>
                                $"{function.Name}({argument.Name} := {(value.Length > 40 ? value[..40] + "…" : value)}): {p}: "
                                    + $"{(int)reply.Status} {reply.Body}"));
                    }

                    rows = now;
                }
            }
        }

        refused.ShouldBeGreaterThan(500);
        problems.ShouldBeEmpty(string.Join('\n', problems.Take(40)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("{")]
    [InlineData("""{"\u0000": 1}""")]
    [InlineData("""{"no_such_argument": 1}""")]
    [InlineData("""{"name": 1, "name": 2}""")]
    public async Task A_body_that_is_no_arguments_calls_nothing(string body)
    {
        var rows = await CountAsync();
        foreach (var function in (await weir.Services.GetRequiredService<RestQueries>()
            .PublishedAsync(CancellationToken.None)).AllFunctions.Where(f => f.Required > 0))
        {
            var reply = await weir.RpcAsync(function.Name, body);
            reply.Code.ShouldBeOneOf(["PGRST102", "PGRST202"], $"{function.Name}: {reply.Body}");
        }

        (await CountAsync()).ShouldBe(rows);
    }

    private static IEnumerable<string> ProblemsOf(RestReply reply, string argument)
    {
        var (code, text) = (reply.Code ?? "", reply.Json.GetProperty("message").GetString() + " " + reply.Json.GetProperty("details"));
        if ((int)reply.Status is >= 500 and not 501 || !KnownCode().IsMatch(code))
        {
            yield return "no answer for a client";
        }

        if ((code is "WR001" || code.StartsWith("22", StringComparison.Ordinal))
            && !Regex.IsMatch(
                text, $@"\b{argument.Replace("_", "[_ ]", StringComparison.Ordinal)}\b", RegexOptions.None, TimeSpan.FromSeconds(1)))
        {
            yield return "it does not name the argument";
        }

        if (Inside().IsMatch(text))
        {
            yield return "it speaks of what is inside";
        }
    }

    private string Arguments(
        PublishedFunction function, PublishedColumn tried, string value) => "{" + string.Join(", ", function.Arguments.Select(a =>
        $"{JsonSerializer.Serialize(a.Name)}: {(a == tried ? value : JsonSerializer.Serialize(weir.Good(a)))}")) + "}";

    private static string Difference(string before, string after) => string.Join(", ", after.Split(", ").Except(before.Split(", ")));

    private async Task<string> CountAsync() => (string)(await _count.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;

    [GeneratedRegex(
        "^(WR0(0[1-6]|1[014])|PGRST(102|202)|22[0-9A-Z]{3})$", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex KnownCode();

    [GeneratedRegex(
        @"relation|constraint|syntax|plpgsql|column|\bweir\.|pg_|public\.", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Inside();
}
