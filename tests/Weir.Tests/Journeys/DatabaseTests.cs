using System.Net;
using System.Text.RegularExpressions;
using Weir.Configuration;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica whose way to PostgreSQL a test can cut.</summary>
public sealed partial class CutOffWeir(TestCluster cluster) : RunningWeir(cluster)
{
    public TcpGate Gate { get; private set; } = null!;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Gate.Dispose();
    }

    private protected override WeirConfig Configure(WeirConfig config)
    {
        var port = int.Parse(PortOf().Match(config.Database.EngineUrl!).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Gate = new TcpGate(port);
        return config with
        {
            Database = config.Database with
            {
                Url = PortOf().Replace(config.Database.Url!, $":{Gate.Port}/"),
                EngineUrl = PortOf().Replace(config.Database.EngineUrl!, $":{Gate.Port}/"),
            },
        };
    }

    [GeneratedRegex(@":(?<port>\d+)/", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
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
        foreach (var answer in (RawAnswer[])[await raw.CallAsync($"{name}__echo"), await raw.CallAsync($"{name}__echo"), await raw.ModernAsync("tools/list"), await raw.ModernAsync("server/discover")])
        {
            answer.Status.ShouldBe(HttpStatusCode.ServiceUnavailable, answer.Body);
            answer.ErrorCode.ShouldBe(1009);
            answer.Headers.RetryAfter.ShouldNotBeNull();
        }

        server.Calls.ShouldBe(1);
        using (var ready = await weir.Client().GetAsync("/readyz"))
        {
            ready.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        }

        weir.Gate.Open();
        await Until.AsyncTrue(async () => (await raw.CallAsync($"{name}__echo")).Status == HttpStatusCode.OK, "calls work again without a restart");
        using var again = await weir.Client().GetAsync("/readyz");
        again.StatusCode.ShouldBe(HttpStatusCode.OK);
    }
}
