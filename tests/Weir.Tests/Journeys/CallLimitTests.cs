using System.Text.Json;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>A replica whose limit of a call ends when the test says so.</summary>
public sealed class TimedWeir(TestCluster cluster) : RunningWeir(cluster)
{
    internal HandTime Limit { get; } = new(TimeSpan.FromSeconds(77));

    private protected override TimeProvider Time => Limit;

    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Mcp = config.Mcp with { CallTimeoutSeconds = 77, MaxCallSeconds = 3600 } };
}

/// <summary>How long a call may take, and what its client is told when it took longer.</summary>
public sealed class CallLimitTests(TimedWeir weir) : IClassFixture<TimedWeir>
{
    private const string All = """{"tools": {"*": {}}}""";

    [Fact]
    public async Task R15_progress_extends_the_limit_and_its_end_is_not_retryable()
    {
        var goOn = new SemaphoreSlim(0);
        await using var server = await ToolCallServer.StartAsync("2025-11-25", async call =>
        {
            await call.SendAsync(call.Progress(1));
            await goOn.WaitAsync(call.Aborted);
            await call.SendAsync(call.Progress(2));
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, call.Aborted);
        });
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var session = await Raw().InitializeAsync();
        var before = weir.Limit.Renewed;
        var call = Raw().PostAsync(
            $$$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{{name}}}}__go","arguments":{},"_meta":{"progressToken":"p"}}}""", [session]);
        await Until.True(() => weir.Limit.Renewed == before + 1, "the first progress has begun the limit anew");
        goOn.Release();
        await Until.True(() => weir.Limit.Renewed == before + 2, "and so has the second");
        weir.Limit.Fire();
        var answer = await call;
        var end = JsonElement.Parse(
            answer.Body[answer.Body.LastIndexOf("data: ", StringComparison.Ordinal)..].Replace("data: ", "", StringComparison.Ordinal))
            .GetProperty("error");
        end.GetProperty("code").GetInt32().ShouldBe(1012);
        end.GetProperty("message").GetString()!.ShouldContain("made no progress for 77 s. It may still have done what was asked.");
        end.GetProperty("data").GetProperty("retryable").GetBoolean().ShouldBeFalse();
        await Until.AsyncTrue(
            async () => (await weir.LogAsync()).Any(r => r.Instance == name && r.Outcome == "timeout"), "the outcome's row");
    }

    [Fact]
    public async Task R15_an_instances_own_timeout_goes_before_the_settings()
    {
        await using var server = await OddServer.StartAsync();
        var (name, id) = await weir.AddReadyAsync(server.Url, All);
        await weir.World.CallAsync(
            "select public.manage_mcp_servers('update', $1, $2, $3)", Sql.Uuid(weir.World.OrganizationId),
            Sql.Jsonb("""{"timeout_ms": 300}"""), Sql.Uuid(id));
        await Until.AsyncTrue(
            async () =>
            {
                using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(5));
                try
                {
                    var answer = await Raw().CallAsync($"{name}__hang", ct: soon.Token);
                    return answer.Body.Contains("did not answer within 0.3 s", StringComparison.Ordinal) && answer.ErrorCode == 1012;
                }
                catch (OperationCanceledException)
                {
                    // The replica has not heard of the change yet.
                    return false;
                }
            },
            "the instance's own limit");
    }

    [Fact]
    public async Task R15_a_tool_call_that_was_sent_is_not_retryable_and_one_that_was_not_is()
    {
        var server = await OddServer.StartAsync();
        var (name, _) = await weir.AddReadyAsync(server.Url, All);
        var dropped = await Raw().CallAsync($"{name}__drop");
        dropped.ErrorCode.ShouldBe(1015, dropped.Body);
        Retryable(dropped).ShouldBeFalse();
        dropped.Body.ShouldContain("may have run");
        await server.DisposeAsync();
        var gone = await Raw().CallAsync($"{name}__echo");
        gone.ErrorCode.ShouldBe(1015, gone.Body);
        Retryable(gone).ShouldBeTrue("there was no connection to send it on");
    }

    [Fact]
    public async Task R15_a_read_that_failed_may_be_repeated()
    {
        await using var server = await ToolCallServer.StartAsync("2025-11-25", call => call.AnswerAsync("{"));
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}, "resources": ["*"]}""");
        server.Drops = "resources/read";
        var session = await Raw().InitializeAsync();
        var answer = await Raw().PostAsync(
            $$"""{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"weir://{{name}}/test://a"} }""", [session]);
        answer.ErrorCode.ShouldBe(1015, answer.Body);
        Retryable(answer).ShouldBeTrue();
    }

    private static bool Retryable(RawAnswer answer) =>
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("retryable").GetBoolean();

    private RawClient Raw() => new(weir.Client(weir.World.AgentKey));
}
