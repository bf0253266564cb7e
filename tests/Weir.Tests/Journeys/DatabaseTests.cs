using System.Net;
using System.Text.RegularExpressions;
using Weir.Configuration;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica whose way to PostgreSQL a test can cut.</summary>
public sealed partial class CutOffWeir(TestCluster cluster) : RunningWeir(cluster)
{
    /// <summary>How long one statement may take, and a call may wait for its decision. Seconds.</summary>
    public const int Deadline = 3;

    public TcpGate Gate { get; private set; } = null!;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Gate.Dispose();
    }

    private protected override WeirConfig Configure(WeirConfig config)
    {
        var port =
            int.Parse(PortOf().Match(config.Database.EngineUrl!).Groups["port"].Value, System.Globalization.CultureInfo.InvariantCulture);
        Gate = new TcpGate(port);
        return config with
        {
            Database = config.Database with
            {
                ConnectTimeoutSeconds = 1,
                CommandTimeoutSeconds = Deadline,
                Url = PortOf().Replace(config.Database.Url!, $":{Gate.Port}/"),
                EngineUrl = PortOf().Replace(config.Database.EngineUrl!, $":{Gate.Port}/"),
            },
        };
    }

    [GeneratedRegex(@":(?<port>\d+)/", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PortOf();
}

public sealed class DatabaseTests(CutOffWeir weir) : IClassFixture<CutOffWeir>
{
    [Fact]
    public async Task Without_its_database_weir_answers_503_at_once_forwards_nothing_and_recovers_by_itself()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {}}}""");
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        (await raw.CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"");
        server.Calls.ShouldBe(1);

        weir.Gate.Close();
        foreach (var answer in (RawAnswer[])[
            await raw.CallAsync($"{name}__echo"), await raw.CallAsync($"{name}__echo"), await raw.ModernAsync("tools/list"),
            await raw.ModernAsync("server/discover"),
        ])
        {
            ShouldBeUnavailable(answer);
        }

        server.Calls.ShouldBe(1);
        await ReadyAsync(HttpStatusCode.ServiceUnavailable);

        weir.Gate.Open();
        await Until.AsyncTrue(
            async () => (await raw.CallAsync($"{name}__echo")).Status == HttpStatusCode.OK, "calls work again without a restart");
        await ReadyAsync(HttpStatusCode.OK);
    }

    private Task ReadyAsync(HttpStatusCode expected) => Until.AsyncTrue(
        async () =>
        {
            using var answer = await weir.Client().GetAsync("/readyz");
            return answer.StatusCode == expected;
        },
        $"/readyz answers {expected}; its last answer is kept for a second");

    [Fact]
    public async Task While_its_database_hangs_each_call_is_a_503_within_the_deadline_nothing_is_forwarded_and_weir_recovers_by_itself()
    {
        await using var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {}}}""");
        var raw = new RawClient(weir.Client(weir.World.AgentKey));
        (await raw.CallAsync($"{name}__echo")).Body.ShouldContain("\"ok\"");
        server.Calls.ShouldBe(1);

        weir.Gate.Freeze();
        var calls = Enumerable.Range(0, 6).Select(_ => TimeAsync(() => raw.CallAsync($"{name}__echo"))).ToList();
        var others = new[] { TimeAsync(() => raw.ModernAsync("tools/list")), TimeAsync(() => raw.ModernAsync("server/discover")) };
        await Until.True(() => weir.Gate.Held >= 2, "statements hang");
        // These wait behind statements that do not come back.
        calls.AddRange(Enumerable.Range(0, 12).Select(_ => TimeAsync(() => raw.CallAsync($"{name}__echo"))));
        ShouldBeUnavailableInTime(await Task.WhenAll(calls));
        ShouldBeUnavailableInTime(await Task.WhenAll(others));
        // By now these connections are given up: the next ones hang while they are opened.
        ShouldBeUnavailableInTime(await TimeAsync(() => raw.CallAsync($"{name}__echo")));

        await ReadyAsync(HttpStatusCode.ServiceUnavailable);

        server.Calls.ShouldBe(1);
        weir.Gate.Thaw();
        await Until.AsyncTrue(
            async () => (await raw.CallAsync($"{name}__echo")).Status == HttpStatusCode.OK, "calls work again without a restart");
        // What the database decided late, when nobody waited any more, was not forwarded either.
        server.Calls.ShouldBe(2);
        await ReadyAsync(HttpStatusCode.OK);
    }

    private static async Task<(RawAnswer Answer, TimeSpan Took)> TimeAsync(Func<Task<RawAnswer>> ask)
    {
        var started = TimeProvider.System.GetTimestamp();
        return (await ask(), TimeProvider.System.GetElapsedTime(started));
    }

    /// <summary>
    /// One statement's time, and two seconds in which the driver cancels it in vain: whoever waited for a second statement would need ten.
    /// </summary>
    private static void ShouldBeUnavailableInTime(params (RawAnswer Answer, TimeSpan Took)[] answers)
    {
        foreach (var (answer, took) in answers)
        {
            ShouldBeUnavailable(answer);
            took.ShouldBeLessThan(TimeSpan.FromSeconds(CutOffWeir.Deadline + 2) * 1.8);
        }
    }

    private static void ShouldBeUnavailable(RawAnswer answer)
    {
        answer.Status.ShouldBe(HttpStatusCode.ServiceUnavailable, answer.Body);
        answer.ErrorCode.ShouldBe(1009);
        answer.Headers.RetryAfter.ShouldNotBeNull();
    }
}
